"""When a reminder is due, in a person's own time: what a wish means, what follows a time, and how times are said. Pure.

Local times that the clock leaves out in spring are an hour later, those that it shows twice in autumn are the first
(PEP 495, as `datetime` has it); for cron fields see `bot.cron`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from bot.cron import Cron as CronTimes
from bot.schedule.due import due
from bot.schedule.spec import Cron, Every, Trigger
from bot.storage.tables import Reminder

LATE_SECONDS = 60.0
"""From when on it is told that something comes late."""
SHORTEST = 60
"""Seconds between two times of what is repeated."""
_FURTHEST = 50 * 365 * 86_400
_IN = re.compile(r"\+\s*(\d{1,10})\s*(s|m|min|h|d)?")
_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_EXAMPLE = 'expected a local time such as "2026-11-23T09:00", or "+1200" for in 1200 seconds'
_SECONDS = re.compile(r"(?:every\s+)?(\d{1,10})\s*(s|m|min|h|d)?")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for: `at` for once, else every so many seconds (from `at` on, where it is given) or at the
    times of five cron fields (from `at` on, too).
    """

    at: str = ""
    every: int = 0
    cron: str = ""


@dataclass(frozen=True, slots=True)
class Firing:
    """What is to be said now that it is due; `next` is when it is due again, None for never."""

    text: str
    next: float | None


def wish(at: str, repeat: str) -> Wish:
    """`repeat` is a number of seconds, "2h", or five cron fields; "" is once. A bare number for `at` is from now on."""
    at = at.strip()
    at = f"+{at}" if at.isdecimal() else at
    if match := _SECONDS.fullmatch(repeat.strip()):
        return Wish(at, int(match[1]) * _UNITS[match[2] or ""])
    return Wish(at, cron=" ".join(repeat.split()))


def first(wish: Wish, now: float, zone: tzinfo | None) -> float:
    """When it is due for the first time, in whole seconds since the epoch. Raises ValueError with what is wrong."""
    if wish.cron:
        found = _after(wish.cron, begins(wish, now, zone), zone)
    elif wish.every and wish.every < SHORTEST:
        raise ValueError(f"every {wish.every} s is too often; at most once a minute")
    elif wish.at:
        found = moment(wish.at, now, zone)
    elif wish.every:
        found = float(round(now) + wish.every)
    else:
        raise ValueError(_EXAMPLE)
    if found > now + _FURTHEST:
        raise ValueError("that is more than fifty years away")
    return found


def begins(wish: Wish, now: float, zone: tzinfo | None) -> float:
    """From when on cron fields count: now, or right before `at`, which may be one of their times. Raises ValueError."""
    return moment(wish.at, now, zone) - 1 if wish.at else now


def moment(text: str, now: float, zone: tzinfo | None) -> float:
    """A time to come: "2026-11-23T09:00" in `zone` (or with an offset of its own), "09:00" for the next one, or
    "+1200", "+20m" from now. Raises ValueError.
    """
    text = text.strip()
    if match := _IN.fullmatch(text):
        return float(round(now) + max(1, int(match[1]) * _UNITS[match[2] or ""]))
    found = _local(text, now, zone).timestamp()
    if found <= now:
        raise ValueError(f"{text} is over: it is {spoken(now, zone)} there now")
    return found


def _local(text: str, now: float, zone: tzinfo | None) -> datetime:
    today = datetime.fromtimestamp(now, zone).replace(tzinfo=None, fold=0)
    if (at := _time_of_day(text)) is not None:
        found = datetime.combine(today, at).replace(tzinfo=at.tzinfo or zone)
        return found if found.timestamp() > now else found + timedelta(days=1)
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; {_EXAMPLE}") from None
    if len(text) <= len("2026-11-23"):
        raise ValueError(f"{text!r} has no time of day; {_EXAMPLE}")
    given = given.replace(microsecond=0)
    # Days at the ends of the calendar have no distance from UTC.
    if not 1971 <= given.year <= 9000:
        raise ValueError(f"{text!r} is out of reach; {_EXAMPLE}")
    return given if given.tzinfo is not None else given.replace(tzinfo=zone)


def _time_of_day(text: str) -> time | None:
    if ":" not in text:
        return None
    try:
        return time.fromisoformat(text).replace(microsecond=0)
    except ValueError:
        return None


def following(rule: Wish, last: float, now: float, zone: tzinfo | None) -> tuple[float | None, bool]:
    """(when it is due next after `now`, whether it was due again between `last` and now); None where it never is.

    What is repeated keeps its phase, however late it was noticed.
    """
    trigger = _trigger(rule)
    if trigger is None:
        return None, False
    found = due(trigger, last, now, zone)
    return found.next, found.now


def retimed(cron: str, last: float, now: float, zone: tzinfo | None) -> float:
    """When cron fields that were last due at `last` are so next, by the zone that their person is in now: maybe in the
    past, where that time was missed.
    """
    return _after(cron, min(last, now), zone)


def announced(text: str, rule: Wish, at: float, now: float, zone: tzinfo | None) -> Firing:
    """What a person reads of what was due at `at`."""
    coming, again = following(rule, at, now, zone)
    late = f" (late, was due {clock(at, now, zone)}{' and again since' if again else ''})"
    return Firing(f"⏰{late if now - at >= LATE_SECONDS else ''} {text}", coming)


def ordered(text: str, rule: Wish, at: float, now: float, zone: tzinfo | None) -> Firing:
    """What the assistant reads of a task that was due at `at`."""
    coming, _ = following(rule, at, now, zone)
    late = ", which was missed: say that it is late" if now - at >= LATE_SECONDS else ""
    return Firing(f"[Task set for {spoken(at, zone)}{late}]\n{text}", coming)


def spoken(at: float, zone: tzinfo | None) -> str:
    """A time in full, with the zone that it is meant in."""
    local = datetime.fromtimestamp(at, zone).astimezone(zone)
    seconds = f":{local:%S}" if local.second else ""
    return f"{local:%A %d %B %Y, %H:%M}{seconds} ({zone or local.tzname()})"


def clock(at: float, now: float, zone: tzinfo | None) -> str:
    """A time as short as it can be said."""
    then, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    if then.date() == today.date():
        return f"{then:%H:%M}"
    return f"{then:%a %d %b %H:%M}" if then.year == today.year else f"{then:%d %b %Y %H:%M}"


def line(row: Reminder, now: float, zone: tzinfo | None) -> str:
    """A reminder as a line of a list: its number, when it is due, how it is repeated, what it says."""
    again = repeated(Wish(every=row.every, cron=row.cron))
    coming = row.due_at is not None
    at = clock((row.due_at if coming else row.fired_at) or now, now, zone)
    when = at if coming else f"was due {at}"
    task = " (a task)" if row.task else ""
    return f"{row.id}: {when}{f', {again}' if again else ''}: {' '.join(row.text.split())}{task}"


def repeated(rule: Wish) -> str:
    """How it is repeated, in words or in cron's own; "" for what is not."""
    trigger = _trigger(rule)
    return "" if trigger is None else described(trigger)


def described(trigger: Trigger) -> str:
    """A trigger in words, or in cron's own."""
    match trigger:
        case Cron(fields):
            return f"at {fields}"
        case Every(seconds):
            for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
                if seconds >= size and seconds % size == 0:
                    return f"every {seconds / size:.0f} {unit}"
            return f"every {seconds:g} s"


def _after(fields: str, at: float, zone: tzinfo | None) -> float:
    try:
        found = CronTimes.parse(fields).after(at, zone)
    except ValueError as error:
        raise ValueError(f"cron {fields!r} {error}") from None
    if found is None:
        raise ValueError(f"cron {fields!r} never comes")
    return found


def _trigger(rule: Wish) -> Trigger | None:
    if rule.cron:
        return Cron(rule.cron)
    return Every(rule.every) if rule.every else None

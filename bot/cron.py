"""Times of day by five cron fields, as crontab(5) means them, by a clock that is set twice a year.

Which times match is APScheduler's to say; this is the only door to it. What differs there from crontab is
translated: weekdays count from Sunday, and where both a day of the month and a weekday are given, either will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

_NAMES = ("minute", "hour", "day", "month", "day_of_week")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")
_EXAMPLE = 'expected five fields, such as "0 3 * * *" for three o\'clock every night'


@dataclass(frozen=True, slots=True)
class Cron:
    """Made by `parse`."""

    _triggers: tuple[Any, ...]

    @classmethod
    def parse(cls, fields: str) -> Self:
        """Raises ValueError with what is wrong, in one line."""
        # Takes as long to import as a third of the start, for jobs that few have.
        from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415

        parts = fields.lower().split()
        if len(parts) != len(_NAMES):
            raise ValueError(f"has {len(parts)} fields; {_EXAMPLE}")
        given = dict(zip(_NAMES, (*parts[:4], _weekdays(parts[4])), strict=True))
        either = not parts[2].startswith("*") and not parts[4].startswith("*")
        ways = [{**given, "day": "*"}, {**given, "day_of_week": "*"}] if either else [given]
        try:
            made = cls(tuple(CronTrigger(**way, timezone=UTC) for way in ways))
        except ValueError as error:
            raise ValueError(f"can't be read ({error}); {_EXAMPLE}") from None
        if made._next_wall(datetime(2024, 1, 1)) is None:  # noqa: DTZ001 -- a time of day, of no zone
            raise ValueError("names a day that never comes")
        return made

    def after(self, at: float, zone: tzinfo | None = None) -> float | None:
        """The first such time after `at` (both epoch seconds) in `zone`, or by this machine's clock.

        In the hour that comes twice, what runs every so many minutes or hours goes on, and what has its hour runs in
        the first one; what has its hour in the one that is left out runs an hour later by the clock.
        """
        # As long as the clock is not set between, its distance from UTC is what it is now.
        shift = _wall(at, zone) - datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
        wall = self._next_wall(_wall(at, zone))
        if wall is None:
            return None
        found = (wall - shift).replace(tzinfo=UTC).timestamp()
        if self._matches(_wall(found, zone)):
            return found
        while wall is not None:
            for fold in (0, 1):
                found = wall.replace(tzinfo=zone, fold=fold).timestamp()
                if found > at:
                    return found
            wall = self._next_wall(wall)
        return None

    def _matches(self, wall: datetime) -> bool:
        return self._next_wall(wall - timedelta(seconds=1)) == wall

    def _next_wall(self, wall: datetime) -> datetime | None:
        """The first match after what a clock on the wall shows; the zone plays no part."""
        start = wall.replace(tzinfo=UTC, fold=0) + timedelta(microseconds=1)
        found = [trigger.get_next_fire_time(None, start) for trigger in self._triggers]
        return min((one.replace(tzinfo=None) for one in found if one is not None), default=None)


def _wall(at: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)


def _weekdays(field: str) -> str:
    """A weekday field by names alone, one for each day. Raises ValueError."""
    if field == "*":
        return field
    days = {_WEEKDAYS[day] for part in field.split(",") for day in _days(part)}
    return ",".join(sorted(days, key=_WEEKDAYS.index))


def _days(part: str) -> Iterator[int]:
    match = _SPAN.fullmatch(part)
    if match is None or (match[1] == "*" and match[2]):
        raise ValueError(f"has no weekday in {part!r}; {_EXAMPLE}")
    first = 0 if match[1] == "*" else _day(match[1])
    open_end = match[1] == "*" or match[3]
    last = _day(match[2]) if match[2] else 6 if open_end else first
    if last < first or match[3] == "0":
        raise ValueError(f"has no weekday in {part!r}; {_EXAMPLE}")
    yield from range(first, last + 1, int(match[3] or 1))


def _day(text: str) -> int:
    if text in _WEEKDAYS:
        return _WEEKDAYS.index(text)
    if not text.isdecimal() or int(text) > 7:
        raise ValueError(f"has {text!r} for a weekday (they are sun to sat, or 0 to 7); {_EXAMPLE}")
    return int(text)

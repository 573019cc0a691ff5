"""The old schedulers' jobs.json: what was to be done when, and for whom. Pure; takes anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.cron import Cron
from bot.legacy.notes import Fate, Note

_OWN = ("dream", "heartbeat")
"""Jobs of the program itself, which has others here."""
_SHORTEST = 60
_LONGEST = 50 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to do by the clock: once at `at` (epoch seconds), every so many seconds, or by five cron fields.

    `channel` and `chat` are where it was asked for, "" where that isn't known.
    """

    name: str
    text: str
    at: float = 0.0
    every: int = 0
    cron: str = ""
    channel: str = ""
    chat: str = ""


def errands(data: Any, now: float) -> tuple[list[Errand], list[Note]]:
    """Those that could still fire, and a note for each of the others."""
    jobs = data.get("jobs") if isinstance(data, dict) else data
    if not isinstance(jobs, list):
        return [], [Note(Fate.WRONG, "cron/jobs.json", "", "holds no list of jobs")]
    found: list[Errand] = []
    notes: list[Note] = []
    for number, job in enumerate(jobs, 1):
        name = _text(job, "name") or _text(job, "id") or f"number {number}"
        called = f"job {name!r}"
        if not isinstance(job, dict):
            notes.append(Note(Fate.WRONG, called, "", "is no job"))
        elif _text(job, "id") in _OWN:
            notes.append(Note(Fate.IDLE, called, "", "was the old program's own; this one has others"))
        else:
            one = _errand(job, name, now)
            if isinstance(one, Errand):
                found.append(one)
            else:
                notes.append(Note(Fate.DROPPED, called, "", one))
    return found, notes


def _errand(job: dict[str, Any], name: str, now: float) -> Errand | str:
    """The job, or why it can't be done."""
    payload, schedule, state = (_table(job, key) for key in ("payload", "schedule", "state"))
    text = _text(payload, "message")
    if not text:
        return "says nothing to do"
    channel, chat = _where(payload)
    match _text(schedule, "kind"):
        case "at":
            at = _number(schedule, "atMs", "at_ms") / 1000
            if not at or at <= now or (state and state.get("nextRunAtMs", 0) is None):
                return "was to be done once, at a time that is over" if at else "has no time"
            return Errand(name, text, at=min(at, now + _LONGEST), channel=channel, chat=chat)
        case "every":
            every = int(min(_number(schedule, "everyMs", "every_ms") / 1000, _LONGEST))
            if every < _SHORTEST:
                return "is to be done more than once a minute"
            return Errand(name, text, every=every, channel=channel, chat=chat)
        case "cron":
            fields = " ".join((_text(schedule, "expr") or "").split())
            try:
                Cron.parse(fields)
            except ValueError as error:
                return f"its times {fields!r} {error}"
            return Errand(name, text, cron=fields, channel=channel, chat=chat)
        case _:
            return "has no time"


def _where(payload: dict[str, Any]) -> tuple[str, str]:
    key = _text(payload, "sessionKey") or ""
    for channel, chat in (("originChannel", "originChatId"), ("channel", "to")):
        if _text(payload, channel) and _text(payload, chat):
            return str(payload[channel]), str(payload[chat])
    channel, _, chat = key.partition(":")
    return (channel, chat) if chat else ("", "")


def _table(data: dict[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _text(data: Any, key: str) -> str | None:
    found = data.get(key) if isinstance(data, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str):
        return None
    return "".join(_plain(found)).strip() or None


def _plain(text: str) -> Iterator[str]:
    return (char for char in text if char.isprintable() or char == "\n")


def _number(data: dict[str, Any], *keys: str) -> float:
    for key in keys:
        found = data.get(key)
        if isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 1e16:
            return float(found)
    return 0.0

"""What is to come: a person's reminders, and for the owner the jobs (/jobs); everybody's for `nanobot reminders`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import Any

from bot.errors import BotError
from bot.gateway.commands import Asked
from bot.gateway.people import People
from bot.safety.rules import Role
from bot.schedule import times
from bot.schedule.times import Wish
from bot.storage import reminders as rows
from bot.storage.database import Database
from bot.storage.tables import Reminder

_NONE = "No reminder is set. Just ask me for one."


@dataclass(frozen=True, slots=True)
class Agenda:
    """`jobs` gives what `nanobot jobs list --json` shows, `zone` where somebody lives."""

    database: Database
    people: People
    jobs: Callable[[], Sequence[Mapping[str, Any]]]
    zone: Callable[[str], tzinfo | None]
    wake: Callable[[], None] = lambda: None
    """Called when something may be due earlier than was known."""

    async def reply(self, asked: Asked) -> str:
        """The text of /jobs. A group sees what was set in it, and nobody but the owner the jobs."""
        now, zone = self.people.clock(), self.zone(asked.person)
        here = "" if asked.private else asked.session
        found = await self.database.read(
            partial(rows.of_person, person=asked.person, session=here, since=now)
        )
        lines = [f"- {times.line(row, now, zone)}" for row in found]
        text = "\n".join(["Your reminders:", *lines]) if lines else _NONE
        if asked.private and self.people.role_of(asked.person) is Role.OWNER:
            text += "\n\nWhat I do by the clock:\n" + "\n".join(_jobs(self.jobs(), now, zone))
        return text

    async def report(self) -> list[dict[str, Any]]:
        """Everybody's reminders that are still to come, for `nanobot jobs reminders --json`; then those that wait for
        a yes, whose next time is null.
        """
        coming, waiting = await self.database.read(rows.coming), await self.database.read(rows.waiting)
        return [_shown(row) for row in (*coming, *waiting)]

    async def decide(self, number: int, *, yes: bool) -> dict[str, Any]:
        """Have one that waits fire from now on, or drop it; returns it. Raises BotError."""
        now = self.people.clock()
        if yes:
            row = await self.database.write(partial(rows.confirm, number=number, due=partial(self._due, now)))
        else:
            row = await self.database.write(partial(rows.discard, number=number))
        if row is None:
            raise BotError(f"no job of number {number} waits; `nanobot jobs reminders` shows those that do")
        self.wake()
        return _shown(row)

    def _due(self, now: float, row: Reminder) -> float:
        if not row.every and not row.cron:
            if row.since <= now:
                raise BotError(f"its time is over; `nanobot jobs discard {row.id}` drops it")
            return row.since
        try:
            return times.first(Wish(every=row.every, cron=row.cron), now, self.zone(row.person))
        except ValueError as error:
            raise BotError(f"its time can't be used: {error}") from error


def _shown(row: Reminder) -> dict[str, Any]:
    return {
        "number": row.id,
        "person": row.person,
        "session": row.session,
        "text": row.text,
        "task": row.task,
        "repeat": times.repeated(Wish(every=row.every, cron=row.cron)),
        "next": row.due_at,
    }


def _jobs(jobs: Iterable[Mapping[str, Any]], now: float, zone: tzinfo | None) -> Iterator[str]:
    for job in jobs:
        coming = f", next at {times.clock(job['next'], now, zone)}" if job["next"] else ""
        yield f"- {job['name']}: {job['state']}{coming}"

"""Waits for the next reminder and has it said or done. The rows are the truth; nothing of them is kept here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial

from bot.schedule import times
from bot.schedule.bell import Bell
from bot.schedule.runner import LONGEST_WAIT
from bot.schedule.times import Wish
from bot.storage import reminders as rows
from bot.storage.database import Database
from bot.storage.reminders import Next, Reach
from bot.storage.tables import Inbox, Outbox, Reminder


@dataclass(frozen=True, slots=True)
class Ways:
    """How what is due leaves: `say` delivers stored rows of the outbox, `do` has stored messages answered.

    `places` are the people whom we know, each with a channel that knows them; `channels` are those that run; `home` is
    the session in which somebody is told what can't be told elsewhere, "" for none; `zone` is where they live, None for
    where this machine stands.
    """

    say: Callable[[Sequence[Outbox]], None]
    do: Callable[[Sequence[Inbox]], None]
    places: Callable[[], Collection[tuple[str, str]]]
    channels: Collection[str]
    home: Callable[[str], Awaitable[str]]
    zone: Callable[[str], tzinfo | None]


class Reminders:
    """Ring `bell` where a new one may be due earlier than what was known."""

    def __init__(self, database: Database, ways: Ways, bell: Bell, clock: Callable[[], float]) -> None:
        self._database = database
        self._ways = ways
        self._bell = bell
        self._clock = clock

    async def watch(self) -> None:
        """Run for ever."""
        await self.retime()
        while True:
            await self._bell.wait(await self.step())

    async def step(self) -> float:
        """Have everything said and done that is due now; returns for how many seconds nothing will be."""
        reach = self._reach()
        while True:
            now = self._clock()
            coming = await self._database.read(partial(rows.next_due, reach=reach, now=now))
            if coming is None or coming > now:
                return LONGEST_WAIT if coming is None else min(LONGEST_WAIT, coming - now)
            fire = partial(rows.fire, reach=reach, now=now, say=partial(self._say, now))
            fired = await self._database.insist(fire)
            self._ways.say(fired.outbox)
            self._ways.do(fired.inbox)

    async def retime(self) -> None:
        """Go by where people live now, and where they can be told."""
        await self._find_homes()
        await self._database.insist(partial(rows.retime, due=partial(self._due, self._clock())))
        self._bell.wake()

    async def _find_homes(self) -> None:
        """What can't be told where it was set comes to another chat of its person, where there is one."""
        for row in await self._database.read(partial(rows.astray, reach=self._reach())):
            if row.id is not None and (home := await self._ways.home(row.person)):
                await self._database.insist(partial(rows.move, number=row.id, session=home))

    def _reach(self) -> Reach:
        places = self._ways.places()
        return Reach(list(self._ways.channels), {person for _, person in places}, places)

    def _say(self, now: float, row: Reminder) -> Next:
        zone, at = self._ways.zone(row.person), row.due_at or now
        words = times.ordered if row.task else times.announced
        said = words(row.text, Wish(every=row.every, cron=row.cron), at, now, zone)
        return Next(said.text, said.next)

    def _due(self, now: float, row: Reminder) -> float | None:
        last = row.since if row.fired_at is None else row.fired_at
        return times.retimed(row.cron, last, now, self._ways.zone(row.person))

"""Reminders in their rows: what is due leaves once, however often and by whatever clock one looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.schedule.bell import Bell
from bot.schedule.reminders import Reminders, Ways
from bot.schedule.runner import LONGEST_WAIT
from bot.storage import reminders as rows
from bot.storage import sessions
from bot.storage.database import Database
from bot.storage.tables import Inbox, Outbox, Reminder
from channels.types import Address
from providers.testing import Clock

HOUR = 3600.0


@dataclass
class Desk:
    database: Database
    clock: Clock
    reminders: Reminders
    said: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=lambda: ["ann", "bob"])
    homes: dict[str, str] = field(default_factory=dict)

    async def remind(self, text: str, due_in: float, **more: Any) -> int | None:
        given = {"person": "ann", "session": "terminal:main", "since": self.clock.now, **more}
        row = Reminder(text=text, due_at=self.clock.now + due_in, **given)
        return await self.database.write(partial(rows.add, row=row, most=3))

    async def after(self, seconds: float) -> list[str]:
        """What is said when this time has passed."""
        self.clock.now += seconds
        before = len(self.said)
        await self.reminders.step()
        return self.said[before:]


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    clock, database = Clock(), await Database.open(folder / "nanobot.db")
    for at in (Address("terminal", "main"), Address("telegram", "7")):
        await database.write(partial(sessions.touch, address=at, person="ann", private=True, now=clock.now))

    def say(new: list[Outbox]) -> None:
        place.said.extend(row.text for row in new)

    def do(new: list[Inbox]) -> None:
        place.done.extend(row.text for row in new)

    async def home(person: str) -> str:
        return place.homes.get(person, "")

    def places() -> set[tuple[str, str]]:
        return {(kind, person) for kind in ("terminal", "telegram") for person in place.people}

    ways = Ways(say, do, places, ["terminal"], home, lambda _: ZoneInfo("UTC"))  # type: ignore[arg-type]
    place = Desk(database, clock, Reminders(database, ways, Bell(), clock))
    try:
        yield place
    finally:
        await database.aclose()


async def test_the_wait_ends_with_the_next_one_and_is_never_long(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        assert await place.reminders.step() == LONGEST_WAIT
        await place.remind("later", 100 * HOUR)
        assert await place.reminders.step() == LONGEST_WAIT
        await place.remind("soon", 90)
        assert await place.reminders.step() == 90


async def test_those_due_together_are_told_in_their_order(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        for text, due_in in (("b", 20), ("a", 10), ("c", 20)):
            await place.remind(text, due_in)
        assert await place.after(20) == ["⏰ a", "⏰ b", "⏰ c"]
        assert await place.after(0) == []


async def test_a_person_has_so_many_and_no_more(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        assert [await place.remind("x", 10) for _ in range(4)] == [1, 2, 3, None]
        assert await place.remind("x", 10, person="bob") == 4
        await place.after(10)
        assert await place.remind("x", 10) == 5, "what is over doesn't count"


async def test_a_chat_whose_channel_does_not_run_here_waits_for_its_daemon(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        await place.remind("there", 10, session="telegram:7")
        assert await place.after(20) == []
        (row,) = await place.database.read(rows.coming)
        assert row.fired_at is None


async def test_a_chat_whose_channel_is_gone_for_good_leaves_its_reminders_to_another(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        await place.remind("there", 10, session="telegram:7")
        place.homes["ann"] = "terminal:main"
        await place.reminders.retime()
        assert await place.after(20) == ["⏰ there"]


async def test_somebody_we_no_longer_know_is_not_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        await place.remind("x", 10)
        place.people.clear()
        assert await place.after(20) == []


async def test_a_clock_that_was_ahead_puts_nothing_off(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        await place.remind("tea", 60, every=3600)
        await place.remind("pills", 60, cron="0 9 * * *")
        assert len(await place.after(1000 * 24 * HOUR)) == 2
        assert await place.after(-1000 * 24 * HOUR) == [], "what it told is told"
        waits = [row.due_at - place.clock.now for row in await place.database.read(rows.coming) if row.due_at]
        assert max(waits) <= 24 * HOUR
        assert len(await place.after(24 * HOUR)) == 2


async def test_a_task_is_done_and_not_said(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        await place.remind("look", 10, task=True, every=60)
        assert await place.after(10) == []
        assert await place.after(60) == []
        assert [text.splitlines()[1] for text in place.done] == ["look", "look"]


async def test_what_is_long_over_is_forgotten(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        await place.remind("once", 10)
        await place.after(10)
        await place.remind("much later", 31 * 24 * HOUR)
        await place.after(31 * 24 * HOUR)
        left = await place.database.read(partial(rows.of_person, person="ann", session="", since=0.0))
        assert [row.text for row in left] == ["much later"]

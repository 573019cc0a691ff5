"""What only the owner can mend reaches them, also what is told while the disk refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.desk import Enclosed
from bot.errors import StorageError
from bot.gateway.ear import OwnersEar
from bot.gateway.outbox import Outbox
from bot.gateway.people import OWNER, People, Person, Roster
from bot.gateway.post import PostOffice
from bot.safety.rules import Role
from bot.storage.database import Database
from bot.supervisor import Supervisor


class Refusing(PostOffice):
    """Stores nothing while `full`."""

    full = True

    def __init__(self, database: Database, supervisor: Supervisor, people: People) -> None:
        super().__init__(database, Outbox(database, {}, supervisor, people.clock), {}, people)
        self.sent: list[tuple[str, str]] = []

    async def channels(self, person: str) -> Sequence[str]:
        return ["mail", "chat"]

    async def send(self, person: str, text: str, channel: str = "", file: Enclosed | None = None) -> str:
        if self.full:
            raise StorageError("the disk is full")
        self.sent.append((channel, text))
        return channel


@pytest.mark.looptime
async def test_a_line_that_is_told_while_the_disk_refuses_is_passed_on_later(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "nanobot.db")
    people = People(database, Roster(Person(OWNER, Role.OWNER), {}, {}), lambda: 0.0)
    async with Supervisor() as supervisor:
        post, ear = Refusing(database, supervisor, people), OwnersEar(lambda: 0.0)
        supervisor.keep("owner's ear", lambda: ear.pass_on(post, people))
        ear.of("mail")("a mail could not be stored")
        await asyncio.sleep(300)
        post.full = False
        await asyncio.sleep(300)
    assert post.sent == [("chat", "⚠️ a mail could not be stored")]
    await database.aclose()

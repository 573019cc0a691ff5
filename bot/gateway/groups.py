"""Groups: the bot takes part only where somebody brought it in who is known, and as long as they are."""

from __future__ import annotations

from functools import partial
from typing import Self

from bot.gateway.people import People, outgoing
from bot.storage import people as rows
from bot.storage.database import Database
from bot.storage.tables import GroupChat, Outbox
from channels.types import Address

NOT_INVITED = "Nobody whom I know has invited me to this group yet: send /start here, and I take part."
_HELLO = "Hello! I answer here where I am mentioned or replied to. What each of you tells me alone stays between us."


class Groups:
    """`by` tells, by channel and chat, who brought the bot in. Made by `load`."""

    def __init__(self, database: Database, people: People, by: dict[tuple[str, str], str]) -> None:
        self._database = database
        self._people = people
        self._by = by

    @classmethod
    async def load(cls, database: Database, people: People) -> Self:
        found = await database.read(rows.groups)
        return cls(database, people, {(row.channel, row.chat): row.invited_by for row in found})

    def invited(self, address: Address) -> bool:
        """Whether somebody who is known brought the bot into this group, topics and all."""
        return self._by.get((address.channel, address.chat)) in self._people.names()

    async def invite(self, address: Address, person: str) -> list[Outbox]:
        """Take part in a group from now on; returns the greeting, which is stored to be delivered. Nothing where the
        bot takes part already.
        """
        if self.invited(address):
            return []
        now = self._people.clock()
        group = GroupChat(channel=address.channel, chat=address.chat, invited_by=person, at=now)
        hello = [outgoing(address, _HELLO, now, "notice")]
        stored = await self._database.write(partial(rows.invite, group=group, hello=hello))
        self._by[group.channel, group.chat] = person
        return stored

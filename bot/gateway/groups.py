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
_HINT_SECONDS = 3600.0


class Groups:
    """`by` tells, by channel and chat, who brought the bot in. Made by `load`."""

    def __init__(self, database: Database, people: People, by: dict[tuple[str, str], str]) -> None:
        self._database = database
        self._people = people
        self._by = by
        self._hinted: dict[tuple[str, str], float] = {}

    @classmethod
    async def load(cls, database: Database, people: People) -> Self:
        found = await database.read(rows.groups)
        return cls(database, people, {(row.channel, row.chat): row.invited_by for row in found})

    def invited(self, address: Address) -> bool:
        """Whether somebody who is known brought the bot into this group, topics and all."""
        return self._by.get((address.channel, address.chat)) in self._people.names()

    def hint(self, address: Address) -> bool:
        """Whether a group in which the bot doesn't take part is told so now: once an hour is enough."""
        group, now = (address.channel, address.chat), self._people.clock()
        if now - self._hinted.get(group, float("-inf")) < _HINT_SECONDS:
            return False
        self._hinted[group] = now
        return True

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

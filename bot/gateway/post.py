"""The way to people outside of answers: on the channel that is asked for, else where they were last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from bot.desk import ToolError
from bot.gateway.outbox import Outbox
from bot.gateway.people import People, outgoing
from bot.storage import sessions
from bot.storage.database import Database
from bot.storage.tables import Session
from channels.base import Channel


class PostOffice:
    """Implements `bot.desk.Post`. Writes only by those `channels` that run here."""

    def __init__(
        self, database: Database, outbox: Outbox, channels: Mapping[str, Channel], people: People
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._channels = channels
        self._people = people

    def people(self) -> Sequence[str]:
        """The names of all who may write to us."""
        return sorted(self._people.names())

    async def channels(self, person: str) -> Sequence[str]:
        """The channels on which this person has a private chat, the last used first."""
        return list(dict.fromkeys(row.channel for row in await self._chats(person)))

    async def send(self, person: str, text: str, channel: str = "") -> str:
        """Write to a person; returns the channel it goes by. Raises ToolError where there is no chat to write to."""
        chats = await self._chats(person)
        chat = next((row for row in chats if channel in ("", row.channel)), None)
        if chat is None:
            known = ", ".join(dict.fromkeys(row.channel for row in chats)) or "none yet"
            raise ToolError(f"{person} has no private chat on {channel or 'any channel'}; there is: {known}.")
        at, now = sessions.address_of(chat), self._people.clock()
        pieces = self._channels[chat.channel].split(text)
        if not pieces:
            raise ToolError("The message is empty.")
        await self._outbox.store([outgoing(at, piece, now, "message") for piece in pieces])
        return chat.channel

    async def _chats(self, person: str) -> list[Session]:
        if person not in self._people.names():
            return []
        found = await self._database.read(partial(sessions.private_of, person=person))
        return [row for row in found if row.channel in self._channels]

"""The way to people outside of answers: on the channel that is asked for, else where they were last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bot.desk import ToolError
from bot.gateway.outbox import Outbox
from bot.gateway.people import outgoing
from bot.storage import sessions
from bot.storage.database import Database


class PostOffice:
    """Implements `bot.desk.Post`."""

    def __init__(self, database: Database, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    async def channels(self, person: str) -> Sequence[str]:
        """The channels on which this person has a private chat, the last used first."""
        return [row.channel for row in await self._database.read(partial(sessions.private_of, person=person))]

    async def send(self, person: str, text: str, channel: str = "") -> str:
        """Write to a person; returns the channel it goes by. Raises ToolError where there is no chat to write to."""
        chats = await self._database.read(partial(sessions.private_of, person=person))
        chat = next((row for row in chats if channel in ("", row.channel)), None)
        if chat is None:
            known = ", ".join(dict.fromkeys(row.channel for row in chats)) or "none yet"
            raise ToolError(f"{person} has no private chat on {channel or 'any channel'}; there is: {known}.")
        at = sessions.address_of(chat)
        await self._outbox.store([outgoing(at, text, self._clock(), "message")])
        return chat.channel

"""The way to people outside of answers: on the channel that is asked for, else on the one that they prefer or used
last.
"""

from __future__ import annotations

import asyncio
import mimetypes
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bot.desk import Enclosed, ToolError
from bot.gateway.outbox import Outbox as Deliveries
from bot.gateway.people import People, outgoing
from bot.storage import sessions
from bot.storage.database import Database
from bot.storage.tables import Outbox, Session
from channels.base import Channel
from channels.types import Address, Media

OUTGOING = "outgoing"
"""The folder beside the database in which copies of files lie that are to be delivered."""


class PostOffice:
    """Implements `bot.desk.Post`. Writes only by those `channels` that run here."""

    def __init__(
        self,
        database: Database,
        outbox: Deliveries,
        channels: Mapping[str, Channel],
        people: People,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._channels = channels
        self._people = people
        self._outgoing = database.path.with_name(OUTGOING)

    def people(self) -> Sequence[str]:
        """The names of all who may write to us."""
        return sorted(self._people.names())

    async def channels(self, person: str) -> Sequence[str]:
        """The channels on which this person has a private chat, in the order of `chats`."""
        return list(dict.fromkeys(row.channel for row in await self.chats(person)))

    async def send(self, person: str, text: str, channel: str = "", file: Enclosed | None = None) -> str:
        """Write to a person; returns the channel it goes by. Raises ToolError where there is no chat to write to, or it
        doesn't take the file.
        """
        chats = await self.chats(person)
        chat = next((row for row in chats if channel in ("", row.channel)), None)
        if chat is None:
            known = ", ".join(dict.fromkeys(row.channel for row in chats)) or "none yet"
            raise ToolError(f"{person} has no private chat on {channel or 'any channel'}; there is: {known}.")
        await self._write(chat, text, file)
        return chat.channel

    async def tell(self, person: str, text: str) -> bool:
        """Write to a person where they prefer it, whoever sits at the terminal; false where they have no such chat."""
        ways = [channel for channel in await self.channels(person) if channel != "terminal"]
        if ways:
            await self.send(person, text, ways[0])
        return bool(ways)

    async def into(self, session: str, text: str, file: Enclosed) -> None:
        """Send a file into a chat. Raises ToolError where its channel doesn't take it."""
        chat = await self._database.read(partial(sessions.get, key=session))
        if chat is None or chat.channel not in self._channels:
            raise ToolError("This conversation has no chat that a file could go to.")
        await self._write(chat, text, file)

    async def _write(self, chat: Session, text: str, file: Enclosed | None) -> None:
        at, now = sessions.address_of(chat), self._people.clock()
        pieces = self._channels[chat.channel].split(text) or ([""] if file else [])
        if not pieces:
            raise ToolError("The message is empty.")
        written = [outgoing(at, piece, now, "message") for piece in pieces]
        if file is not None:
            written[0].file = await self._enclosed(chat.channel, file)
        await self._outbox.store(written)

    async def other_way(self, row: Outbox) -> Address | None:
        """Where the person of a private chat may be reached by another channel."""
        session = await self._database.read(partial(sessions.get, key=row.session))
        if session is None or not session.private or not session.person:
            return None
        chats = await self.chats(session.person)
        others = (chat for chat in chats if chat.channel not in (row.channel, "terminal"))
        return next((sessions.address_of(chat) for chat in others), None)

    async def _enclosed(self, channel: str, file: Enclosed) -> dict[str, str]:
        """The file as its row names it: a copy, since what the workspace holds may change before it goes out."""
        limit = self._channels[channel].file_limit
        if len(file.content) > limit:
            takes = f"takes at most {limit // 2**20} MiB" if limit else "carries no files"
            raise ToolError(f"{channel} {takes}; {file.name} has {len(file.content) / 2**20:.1f} MiB.")
        path = self._outgoing / uuid.uuid4().hex
        try:
            await asyncio.to_thread(_copied, path, file.content)
        except OSError as error:
            raise ToolError(f"{file.name} could not be copied: {error.strerror}.") from error
        mime = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        kinds = {"image": Media.IMAGE, "audio": Media.AUDIO, "video": Media.VIDEO}
        kind = kinds.get(mime.partition("/")[0], Media.FILE)
        return {"path": str(path), "name": file.name, "mime": mime, "kind": kind}

    async def home(self, person: str) -> str:
        """Where a person is written to whose own chat can't be: that session, or ""."""
        chats = (chat for chat in await self.chats(person) if chat.channel != "terminal")
        return next((chat.key for chat in chats), "")

    async def chats(self, person: str) -> list[Session]:
        """A person's private chats: those of the channel that they prefer first, then the last used ones."""
        places = self._people.places()
        found = await self._database.read(partial(sessions.private_of, person=person))
        preferred = self._people.settings(person).prefers
        running = [row for row in found if row.channel in self._channels and (row.channel, person) in places]
        return sorted(running, key=lambda row: row.channel != preferred)


def _copied(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)

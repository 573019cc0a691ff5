"""Brings what comes with a message: its files into the workspace, what is spoken into words.

A message with files is stored first and its sender's server told so; only then its files are fetched, in the
background, and until they are there no turn takes it. A restart fetches anew what was not. Bytes that came along with
the message itself, as in mail, are written before it is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bot.errors import BotError, StorageError
from bot.gateway import parts
from bot.gateway.bus import Bus
from bot.gateway.parts import Arrival
from bot.gateway.people import outgoing
from bot.memory.keeper import folder_name
from bot.safety.rules import Trust
from bot.storage import inbox as rows
from bot.storage import outbox
from bot.storage.database import Database
from bot.storage.sessions import address_of
from bot.storage.sessions import get as session_of
from bot.storage.tables import Inbox, Outbox, Session
from bot.supervisor import Supervisor, backoff
from channels.base import Channel
from channels.errors import DeliveryError, NotSent
from channels.types import Address, Inbound, Quote, Whose

log = logging.getLogger(__name__)

_TRIES_SECONDS = 180.0
"""For which a file that can't be fetched now is tried again."""
_AT_ONCE = 8
"""Messages of one channel whose files are brought at the same time."""
_WORKING_EVERY = 4.5
_NOTHING = "(nothing was to be heard)"
_PROGRESS_EVERY = 45.0
"""Seconds between two lines about a long recording."""


class Heard(Protocol):
    @property
    def text(self) -> str: ...

    @property
    def by(self) -> str: ...


Progress = Callable[[str], Awaitable[None]]


class Ears(Protocol):
    """Writes speech down."""

    async def transcribe(self, path: Path, *, progress: Progress | None = None) -> Heard:
        """What is said in a recording; `progress` gets lines about a long one. Raises BotError."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What the intake works with. `limit` is the most bytes of a file, as configured now; `say` stores and delivers
    rows of the outbox.
    """

    database: Database
    channels: Mapping[str, Channel]
    supervisor: Supervisor
    bus: Bus
    workspace: Path
    limit: Callable[[], int]
    ears: Ears
    say: Callable[[Sequence[Outbox]], Awaitable[None]]
    clock: Callable[[], float]


class Intake:
    def __init__(self, means: Means) -> None:
        self._means = means
        self._places = {kind: asyncio.Semaphore(_AT_ONCE) for kind in means.channels}

    @property
    def workspace(self) -> Path:
        return self._means.workspace

    async def files(self, inbound: Inbound, person: str) -> list[dict[str, Any]] | None:
        """The files of a message that is about to be stored; bytes that came with it are on disk when this returns."""
        found = []
        for number, attached in enumerate(inbound.attachments):
            one = parts.arrival(attached)
            if attached.content:
                found.append(await self._write(one, number, inbound, person, attached.content))
            else:
                found.append(one)
        return parts.listed(found)

    async def quotes(self, inbound: Inbound) -> list[dict[str, str]] | None:
        """A message's quotes with their labels: another's words are untrusted, and so is an answer of ours that was
        made from such; of one that nobody remembers the same is assumed.
        """
        return [parts.quoted(quote, await self._label(inbound, quote)) for quote in inbound.quotes] or None

    def begin(self, row: Inbox) -> None:
        """Fetch a stored message's files."""
        self._means.supervisor.spawn(f"files of {row.session}", self._bring(row))

    def acknowledge(self, row: Inbox, address: Address) -> None:
        """Show that a message was taken that comes while something else is being done."""
        if row.ref:
            channel = self._means.channels[row.channel]
            self._means.supervisor.spawn(f"taken {row.session}", channel.acknowledge(address, row.ref))

    async def _label(self, inbound: Inbound, quote: Quote) -> Trust:
        if quote.whose is Whose.SENDER:
            return Trust.OWN
        if quote.whose is Whose.OTHER or not quote.ref:
            return Trust.UNTRUSTED
        of = partial(outbox.trust_of_answer, session=str(inbound.address), ref=quote.ref)
        return await self._means.database.read(of)

    async def _write(
        self, one: Arrival, number: int, inbound: Inbound, person: str, content: bytes
    ) -> Arrival:
        if len(content) > self._means.limit():
            return replace(one, size=len(content), error=self._too_large())
        inside = parts.folder(folder_name(person), inbound.key, inbound.at) / parts.safe_name(one, number)
        try:
            await asyncio.to_thread(_stored, self._means.workspace / inside, content)
        except OSError as error:
            # Not stored: the message stays with its server until there is room.
            raise StorageError(f"a file could not be stored: {error.strerror}") from error
        return replace(one, path=str(inside), size=len(content))

    async def _bring(self, row: Inbox) -> None:
        """Fetch what is to be fetched and write down what is spoken; whatever happens, the message goes on then."""
        found = [Arrival.of(one) for one in row.files or ()]
        try:
            session = await self._means.database.read(partial(session_of, key=row.session))
            async with self._places[row.channel], asyncio.TaskGroup() as group:
                busy = group.create_task(self._show_work(session))
                for number, one in enumerate(found):
                    found[number] = await self._settled(one, number, row)
                busy.cancel()
        except Exception:
            # Catches everything: a fault with a file must not keep its message from being answered.
            log.exception("the files of a message of %s could not be brought", row.session)
            found = [
                replace(one, error="an internal fault; the log says more") if one.open else one
                for one in found
            ]
        row.files, row.pending = parts.listed(found), False
        paths = [one.path for one in found if one.path]
        brought = partial(rows.brought, row=row, paths=paths, now=self._means.clock())
        if await self._means.database.insist(brought):
            self._means.bus.ready(row)
        else:
            await asyncio.to_thread(_deleted, [self._means.workspace / path for path in paths])

    async def _show_work(self, session: Session | None) -> None:
        if session is None:
            return
        channel = self._means.channels[session.channel]
        while True:
            await channel.working(address_of(session))
            await asyncio.sleep(_WORKING_EVERY)

    async def _settled(self, one: Arrival, number: int, row: Inbox) -> Arrival:
        if not one.path and not one.error:
            one = await self._fetched(one, number, row)
        if one.open:
            one = await self._heard(one, row)
        return one

    async def _fetched(self, one: Arrival, number: int, row: Inbox) -> Arrival:
        limit = self._means.limit()
        if one.size > limit:
            return replace(one, error=self._too_large())
        at = datetime.fromtimestamp(row.sent_at, UTC)
        inside = parts.folder(folder_name(row.person), row.key, at) / parts.safe_name(one, number)
        path = self._means.workspace / inside
        channel = self._means.channels[row.channel]
        waits, until = backoff(1.0, 30.0), self._means.clock() + _TRIES_SECONDS
        while True:
            try:
                await asyncio.to_thread(_prepared, path)
                await channel.fetch(parts.attachment(one), _partial(path), limit)
                size = await asyncio.to_thread(_finished, path)
            except NotSent as error:
                wait = error.retry_after or next(waits)
                if self._means.clock() + wait > until:
                    return replace(one, error=f"it could not be fetched: {error.detail}")
                await asyncio.sleep(wait)
            except DeliveryError as error:
                return replace(one, error=f"it could not be fetched: {error.detail}")
            except OSError as error:
                return replace(one, error=f"it could not be stored: {error.strerror}")
            else:
                return replace(one, path=str(inside), size=size)

    async def _heard(self, one: Arrival, row: Inbox) -> Arrival:
        told_at = self._means.clock()

        async def progress(line: str) -> None:
            nonlocal told_at
            if self._means.clock() - told_at >= _PROGRESS_EVERY:
                told_at = self._means.clock()
                session = await self._means.database.read(partial(session_of, key=row.session))
                if session is not None:
                    await self._means.say([outgoing(address_of(session), f"🎙 {line}", told_at, "notice")])

        try:
            heard = await self._means.ears.transcribe(self._means.workspace / one.path, progress=progress)
        except BotError as error:
            return replace(one, error=str(error))
        return replace(one, heard=heard.text.strip() or _NOTHING, by=heard.by or "machine")

    def _too_large(self) -> str:
        return f"it is larger than the {self._means.limit() // 2**20} MiB that are fetched here"


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _prepared(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileNotFoundError):
        _partial(path).unlink()


def _finished(path: Path) -> int:
    part = _partial(path)
    size = part.stat().st_size
    part.replace(path)
    return size


def _deleted(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _stored(path: Path, content: bytes) -> None:
    _prepared(path)
    _partial(path).write_bytes(content)
    _finished(path)

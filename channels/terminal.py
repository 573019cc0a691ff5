"""The terminal's channel: fed by the control socket, shown by whichever terminals are attached.

A piece counts as sent once an attached terminal has taken it, so that an answer made while nobody looked is there
when somebody does.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from channels.errors import NotSent
from channels.types import Address, ChannelStatus, Inbound, Outbound, Receipt, Sender, Take

_MOST_WAITING = 1000
"""Events that one terminal may leave untaken before it counts as gone."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The unfinished answer so far."""

    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to show for good. It replaces the preview where `out.edits` is set."""

    out: Outbound
    taken: asyncio.Future[bool] = field(compare=False)


class Listener:
    """One attached terminal."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Preview | Piece] = asyncio.Queue(_MOST_WAITING)

    async def next(self, seconds: float) -> Preview | Piece | None:
        """The next event, or None where there is none for so long. Taking a piece confirms it."""
        try:
            async with asyncio.timeout(seconds):
                event = await self._events.get()
        except TimeoutError:
            return None
        if isinstance(event, Piece) and not event.taken.done():
            event.taken.set_result(True)
        return event

    def put(self, event: Preview | Piece) -> bool:
        """Offer an event; false if this terminal takes nothing any more."""
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            return False
        return True

    def close(self) -> None:
        """Give back what was not taken: it waits for the next terminal."""
        while not self._events.empty():
            event = self._events.get_nowait()
            if isinstance(event, Piece) and not event.taken.done():
                event.taken.set_result(False)


class TerminalChannel:
    """One conversation, with any number of terminals attached to it. `on_attach` is called when one is."""

    kind = "terminal"
    preview_interval = 0.1

    def __init__(self, chat: str = "main") -> None:
        self.on_attach: Callable[[], None] = lambda: None
        self._address = Address(self.kind, chat)
        self._listeners: list[Listener] = []
        self._take: Take | None = None
        self._ready = asyncio.Event()
        self._received_at: float | None = None
        self._sent_at: float | None = None

    @property
    def session(self) -> str:
        return str(self._address)

    @property
    def status(self) -> ChannelStatus:
        terminals = f"{len(self._listeners)} attached"
        return ChannelStatus(True, terminals, self._received_at, self._sent_at)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Listener]:
        """Attach a terminal."""
        listener = Listener()
        self._listeners.append(listener)
        self.on_attach()
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
            listener.close()

    async def submit(self, text: str) -> None:
        """Take what the user typed. Returns when it is stored; raises what the taker raises."""
        await self._ready.wait()
        assert self._take is not None  # noqa: S101 -- set before the event
        now = datetime.now(UTC)
        inbound = Inbound(uuid.uuid4().hex, self._address, Sender("local"), text, now)
        await self._take([inbound])
        self._received_at = now.timestamp()

    async def run(self, take: Take) -> None:
        """Nothing to fetch: the control socket brings it (see `submit`)."""
        self._take = take
        self._ready.set()
        await asyncio.get_running_loop().create_future()

    async def send(self, out: Outbound) -> Receipt:
        """Show a piece; returns when a terminal has taken it. Raises NotSent where none is attached."""
        loop = asyncio.get_running_loop()
        pieces = [Piece(out, loop.create_future()) for _ in self._listeners]
        offered = zip(pieces, self._listeners, strict=True)
        waiting = {piece.taken for piece, listener in offered if listener.put(piece)}
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if any(taken.result() for taken in done):
                self._sent_at = datetime.now(UTC).timestamp()
                return Receipt(str(out.id))
        raise NotSent("no terminal is attached")

    async def preview(self, address: Address, text: str, ref: str) -> str:  # noqa: ARG002 -- one conversation
        for listener in self._listeners:
            listener.put(Preview(text))
        return ref or "preview"

    async def working(self, address: Address) -> None:
        """The terminal draws its own sign of life."""

    def split(self, text: str) -> list[str]:
        return [text]

    async def aclose(self) -> None:
        for listener in list(self._listeners):
            listener.close()

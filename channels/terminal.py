"""The terminal's channel: fed by the control socket, shown by whichever terminals are attached.

A piece counts as sent once an attached terminal has dealt with it, so that an answer made while nobody looked is
there when somebody does.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from channels.base import TextOnly
from channels.errors import NotSent, Unknown
from channels.types import Address, ChannelStatus, Inbound, Outbound, Receipt, Report, Sender, Take

_MOST_WAITING = 1000
"""Pieces that a slow terminal may leave untaken while another shows them; then it misses the oldest."""

_PREVIEW = "preview"


@dataclass(frozen=True, slots=True)
class Preview:
    """The unfinished answer so far."""

    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to show for good. It replaces the preview where `out.edits` is set."""

    out: Outbound


class Closed(Exception):
    """The channel has ended; nothing more will come."""


class _Fate(Enum):
    SHOWN = "a terminal has dealt with it"
    LEFT = "every terminal left before it took it"
    UNSURE = "the terminal that took it left in the middle"


@dataclass(slots=True, eq=False)
class _Delivery:
    """A piece on its way to one or more terminals."""

    piece: Piece
    fate: asyncio.Future[_Fate]
    holders: int = 0
    unsure: bool = False

    def shown(self) -> None:
        if not self.fate.done():
            self.fate.set_result(_Fate.SHOWN)

    def released(self, *, unsure: bool = False) -> None:
        """A terminal gives it up; the last one decides."""
        self.holders -= 1
        self.unsure |= unsure
        if not self.holders and not self.fate.done():
            self.fate.set_result(_Fate.UNSURE if self.unsure else _Fate.LEFT)


@dataclass(eq=False)
class Listener:
    """One attached terminal."""

    _pieces: deque[_Delivery] = field(default_factory=deque)
    _preview: Preview | None = None
    _in_hand: _Delivery | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    async def next(self, seconds: float) -> Preview | Piece | None:
        """The next event, or None where there is none for so long. Asking again confirms the piece before.

        Raises Closed once the channel has ended.
        """
        self._confirm()
        if (event := self._take()) is None:
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return None
            event = self._take()
        return event

    def show(self, text: str) -> None:
        """Offer a preview; one that is still waiting is out of date."""
        self._preview = Preview(text)
        self._news.set()

    def offer(self, delivery: _Delivery) -> None:
        delivery.holders += 1
        self._pieces.append(delivery)
        if delivery.piece.out.edits:
            self._preview = None
        if len(self._pieces) > _MOST_WAITING:
            self._pieces.popleft().released()
        self._news.set()

    def close(self, *, clean: bool) -> None:
        """Give back what was not taken: it waits for the next terminal."""
        if clean:
            self._confirm()
        elif self._in_hand:
            self._in_hand.released(unsure=True)
        for delivery in self._pieces:
            delivery.released()
        self._in_hand = None
        self._pieces.clear()
        self._closed = True
        self._news.set()

    def _confirm(self) -> None:
        if self._in_hand:
            self._in_hand.shown()
            self._in_hand = None

    def _take(self) -> Preview | Piece | None:
        if self._closed:
            raise Closed
        while self._pieces:
            delivery = self._pieces.popleft()
            if not delivery.fate.cancelled():
                self._in_hand = delivery
                return delivery.piece
        preview, self._preview = self._preview, None
        return preview


class TerminalChannel(TextOnly):
    """One conversation, with any number of terminals attached to it. `on_attach` is called when one is."""

    kind = "terminal"
    preview_interval = 0.1

    def __init__(self, chat: str = "main") -> None:
        self.on_attach: Callable[[], None] = lambda: None
        self._address = Address(self.kind, chat)
        self._listeners: list[Listener] = []
        self._under_way: list[_Delivery] = []
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
        for delivery in self._under_way:
            listener.offer(delivery)
        self.on_attach()
        clean = False
        try:
            yield listener
            clean = True
        finally:
            self._listeners.remove(listener)
            listener.close(clean=clean)

    async def submit(self, text: str) -> None:
        """Take what the user typed. Returns when it is stored; raises what the taker raises."""
        await self._ready.wait()
        assert self._take is not None  # noqa: S101 -- set before the event
        now = datetime.now(UTC)
        inbound = Inbound(uuid.uuid4().hex, self._address, Sender("local"), text, now)
        await self._take([inbound])
        self._received_at = now.timestamp()

    async def run(self, take: Take, _report: Report) -> None:
        """Nothing to fetch: the control socket brings it (see `submit`)."""
        self._take = take
        self._ready.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._ready.clear()

    async def send(self, out: Outbound) -> Receipt:
        """Show a piece; returns when a terminal has dealt with it. Raises NotSent where none is attached."""
        delivery = _Delivery(Piece(out), asyncio.get_running_loop().create_future())
        if not self._listeners:
            raise NotSent("no terminal is attached")
        self._under_way.append(delivery)
        try:
            for listener in self._listeners:
                listener.offer(delivery)
            fate = await delivery.fate
        finally:
            self._under_way.remove(delivery)
        if fate is _Fate.LEFT:
            raise NotSent("no terminal is attached any more")
        if fate is _Fate.UNSURE:
            raise Unknown("the terminal left while it was being shown")
        self._sent_at = datetime.now(UTC).timestamp()
        return Receipt(str(out.id))

    async def preview(self, _address: Address, text: str, ref: str, _reply_to: str = "") -> str:
        """Shown by the terminals attached now; there is no trace of it where there are none."""
        for listener in self._listeners:
            listener.show(text)
        return _PREVIEW if self._listeners else ref

    async def working(self, address: Address) -> None:
        """The terminal draws its own sign of life."""

    def split(self, text: str) -> list[str]:
        """A terminal has no limit."""
        return [text] if text.strip() else []

    async def aclose(self) -> None:
        for listener in self._listeners:
            listener.close(clean=False)

"""Messages on their way: which were sent, to whom, and which may have been although no answer came."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

_REMEMBERED = 1000
_ANSWERED_WITHIN = 5.0

T = TypeVar("T")


class Flights:
    """`told_after` is how many seconds WhatsApp takes mostly for its first status."""

    def __init__(self, monotonic: Callable[[], float], told_after: float) -> None:
        self._monotonic = monotonic
        self._told_after = told_after
        self._sent: OrderedDict[str, str] = OrderedDict()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._doubtful: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._arrived: OrderedDict[str, bool] = OrderedDict()

    @contextmanager
    def sending(self) -> Iterator[None]:
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def sent(self, ref: str, chat: str, tracker: str) -> None:
        self._doubtful.pop(tracker, None)
        _keep(self._sent, ref, chat)

    def chat_of(self, ref: str) -> str:
        """To whom a message went; "" of those that nobody remembers."""
        return self._sent.get(ref, "")

    def doubt(self, tracker: str) -> None:
        """No answer came, so that nobody knows."""
        _keep(self._doubtful, tracker, ("", self._monotonic()))

    def seen(self, tracker: str, ref: str) -> None:
        """A status tells of a message with this mark."""
        if tracker in self._doubtful:
            self._doubtful[tracker] = ref, self._monotonic()

    def failed(self, tracker: str, ref: str) -> None:
        """A status tells that a message with this mark did not arrive: sending it again is the way on, not a repeat."""
        self._doubtful.pop(tracker, None)
        for mark in [mark for mark, (known, _) in self._doubtful.items() if known == ref]:
            del self._doubtful[mark]

    def landed(self, tracker: str) -> str:
        """The reference of a message that turned out to have been sent, told once; "" where nothing tells so."""
        ref, _ = self._doubtful.get(tracker, ("", 0.0))
        if ref:
            del self._doubtful[tracker]
        return ref

    def in_doubt(self, tracker: str) -> float:
        """How many seconds a status may still take that would tell so; 0 where nothing is in doubt."""
        _, since = self._doubtful.get(tracker, ("", float("-inf")))
        return max(0.0, since + self._told_after - self._monotonic())

    def first_arrival(self, ref: str) -> bool:
        """Whether this is the first time that it is told; read follows delivered, and both come twice."""
        first = ref not in self._arrived
        _keep(self._arrived, ref, True)
        return first

    async def answered(self, ref: str) -> None:
        """Wait until the request is answered that sent this: a failure can be told before that."""
        if ref not in self._sent and self._under_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANSWERED_WITHIN):
                    await self._idle.wait()


def _keep(shelf: OrderedDict[str, T], key: str, value: T) -> None:
    shelf[key] = value
    shelf.move_to_end(key)
    while len(shelf) > _REMEMBERED:
        shelf.popitem(last=False)

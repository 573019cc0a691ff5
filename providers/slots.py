"""The answers that local servers make at once, so that we queue before a busy one and not inside it.

A llama.cpp server takes any number of requests and lets those beyond its slots wait without a word. A call that waited
there would use up its time for the first token and could not be told from a server that hangs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from providers.types import Route


@dataclass(slots=True)
class _Line:
    taken: int = 0
    most: int = 1
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Slots:
    """Who answers and who waits, by model, in the order in which they came. For one event loop."""

    def __init__(self) -> None:
        self._lines: dict[Route, _Line] = {}

    async def take(self, route: Route, most: int) -> None:
        """Take one of the model's `most` slots, as soon as one is free. A call that is cancelled leaves the line."""
        line = self._lines.setdefault(route, _Line())
        line.most = most
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        self._call_up(route, line)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(route)  # called up, but it isn't there any more
            elif turn in line.waiting:
                line.waiting.remove(turn)
                self._call_up(route, line)
            raise

    def leave(self, route: Route) -> None:
        """Give a slot back."""
        line = self._lines[route]
        line.taken -= 1
        self._call_up(route, line)

    def depth(self, route: Route) -> tuple[int, int]:
        """How many calls have a slot and how many wait for one."""
        line = self._lines.get(route, _Line())
        return line.taken, len(line.waiting)

    def _call_up(self, route: Route, line: _Line) -> None:
        while line.waiting and line.taken < line.most:
            turn = line.waiting.popleft()
            if not turn.cancelled():
                line.taken += 1
                turn.set_result(None)
        if not line.taken and not line.waiting and self._lines.get(route) is line:
            del self._lines[route]

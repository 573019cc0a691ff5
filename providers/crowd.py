"""Who has to wait until somebody else has heard from a server, so that many turns at once don't all find out for
themselves that it is down.

A route of which nothing was heard lately gets as many calls at first as open its breaker; the others wait for word of
one of them. Where an answer has begun within the last minute they wait for a moment only: a server that works loses
nothing, and one that refuses says so at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from providers.health import STRIKES

PROVEN_FOR = 60.0
MOMENT = 0.1


class Crowd:
    """Calls under way that brought no word yet, by scope. For one event loop; the time is passed in."""

    def __init__(self) -> None:
        self._silent: dict[str, int] = {}
        self._heard: dict[str, float] = {}
        self._news = asyncio.Event()

    def wait(self, room: Mapping[str, int], now: float) -> float | None:
        """How long to wait for word at most, in seconds, where as many calls are under way as there is `room` for,
        by scope (less than usual where the last call failed). None: not at all.
        """
        full = [scope for scope, most in room.items() if self._silent.get(scope, 0) >= most]
        if not full:
            return None
        proven = all(
            room[scope] == STRIKES and 0 <= now - self._heard.get(scope, float("-inf")) < PROVEN_FOR
            for scope in full
        )
        return MOMENT if proven else float("inf")

    def enter(self, scopes: Iterable[str]) -> None:
        """A call goes out."""
        for scope in scopes:
            self._silent[scope] = self._silent.get(scope, 0) + 1

    def leave(self, scopes: Iterable[str], heard: float | None = None) -> None:
        """That call brought word (`heard` then), or ended without."""
        for scope in scopes:
            left = self._silent[scope] - 1
            if left:
                self._silent[scope] = left
            else:
                del self._silent[scope]
            if heard is not None:
                self._heard[scope] = heard
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        """Wait until the next call brings word or ends."""
        await self._news.wait()

"""The one deadline of a call, over all its candidates, retries and waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Deadline:
    """Ends `seconds` from now. `sleep` is how waits pass; a test's may return at once, and time moves on all
    the same.
    """

    def __init__(self, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._sleep = sleep
        self._ahead = 0.0
        self._end = self.now() + seconds

    def now(self) -> float:
        """Seconds on the call's own clock."""
        return self._loop.time() + self._ahead

    @property
    def passed(self) -> bool:
        return self.now() >= self._end

    def share(self, part: float) -> float:
        """The time at which this part of what is left will have gone by."""
        now = self.now()
        return now + max(0.0, self._end - now) * part

    def timeout(self, at: float) -> asyncio.Timeout:
        """A limit on what is awaited: until `at` on the call's clock."""
        return asyncio.timeout_at(at - self._ahead)

    async def pause(self, seconds: float) -> bool:
        """Wait; False at once where the deadline would pass meanwhile."""
        awake_at = self.now() + seconds
        if awake_at >= self._end:
            return False
        await self._sleep(seconds)
        self._ahead += max(0.0, awake_at - self.now())
        return True

"""Wakes whoever waits for the next thing that is due: something new may be due earlier."""

from __future__ import annotations

import asyncio


class Bell:
    """Implements `bot.desk.Alarm`."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def wake(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float | None) -> None:
        """Return after so many seconds (None: never), or as soon as it is rung."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()

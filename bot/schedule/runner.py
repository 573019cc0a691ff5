"""Waits for the next thing that is due, and has it done then.

What is due, and when, is its source's to say: the scheduled jobs (`bot.schedule.jobs`) are one. People's reminders are
found by a transaction, and so have a loop of their own (`bot.schedule.reminders`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bot.schedule.bell import Bell

LONGEST_WAIT = 600.0
"""Seconds after which the clock is looked at in any case: it may have been set, or the machine have slept."""


class Source(Protocol):
    """Times are seconds since the epoch."""

    def fire(self, now: float) -> float | None:
        """Begin what is due, without waiting for it; returns when the next thing is, None where nothing will be."""
        ...


class Scheduler:
    """Between two times that something is due it does nothing at all. Ring `bell` where something new may be due
    earlier.
    """

    def __init__(self, sources: Sequence[Source], bell: Bell, clock: Callable[[], float]) -> None:
        self._sources = sources
        self._bell = bell
        self._clock = clock

    async def watch(self) -> None:
        """Run for ever."""
        while True:
            await self._bell.wait(self.step())

    def step(self) -> float:
        """Have everything done that is due now; returns for how many seconds nothing will be."""
        now = self._clock()
        coming = [at for source in self._sources if (at := source.fire(now)) is not None]
        return min([LONGEST_WAIT, *(max(0.0, at - now) for at in coming)])

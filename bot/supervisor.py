"""The one place that makes tasks. Every task has a name, an owner, and an answer to "what if it ends?".

`keep` runs something eternal: when it fails it is started again after a back-off and the failure is logged, and when
it ends without an error that is a bug and logged as one. `spawn` runs something finite whose own code handles its
failures; what escapes it is logged, never lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Self

log = logging.getLogger(__name__)

_HEALTHY_SECONDS = 60.0
"""A task that ran this long starts its back-off afresh."""


def backoff(first: float = 1.0, most: float = 60.0) -> Iterator[float]:
    """Seconds to wait before each next try: doubling up to `most`, with jitter so that many don't return at once."""
    delay = first
    while True:
        yield delay * random.uniform(0.8, 1.2)  # noqa: S311 -- spreads retries, guards nothing
        delay = min(delay * 2, most)


class Supervisor:
    """Owns tasks for as long as its context lasts; leaving it cancels and awaits whatever still runs."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Again for those that a task started while it was cancelled.
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def keep(self, name: str, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Run `run()` for ever, restarting it with back-off whenever it fails or ends."""
        return self._own(self._eternal(name, run), name)

    def spawn(self, name: str, run: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `run` once."""
        return self._own(run, name)

    def names(self) -> list[str]:
        return sorted(task.get_name() for task in self._tasks)

    def _own(self, run: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(run, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def _eternal(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        delays = backoff()
        while True:
            began = time.monotonic()
            try:
                await run()
                log.error("%s ended, which it never should; starting it again", name)
            except asyncio.CancelledError:
                if asked_to_end():
                    raise
                log.exception("%s was cancelled from inside; starting it again", name)
            except Exception:
                log.exception("%s failed; starting it again", name)
            if asked_to_end():
                raise asyncio.CancelledError
            if time.monotonic() - began > _HEALTHY_SECONDS:
                delays = backoff()
            await asyncio.sleep(next(delays))


def asked_to_end() -> bool:
    """Whether this task was cancelled, even if a library kept that to itself (`asyncio.wait_for` may, until 3.12)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

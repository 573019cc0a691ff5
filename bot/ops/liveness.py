"""Whether everything that should turn does: the event loop, the database's thread, lanes, deliveries, receive loops."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.errors import StorageError
from bot.gateway.bus import Bus
from bot.gateway.outbox import Outbox
from bot.storage.database import Database
from channels.base import Channel

log = logging.getLogger(__name__)

BEAT_SECONDS = 900.0
"""A receive loop turns at least this often, even while it backs off: its waits are five minutes at most, a long poll
half of one, an IDLE of mail ten."""
_DATABASE_SECONDS = 60.0
_TICK = 0.25
STALL_SECONDS = 1.0
"""A step of the event loop that takes longer is logged with its stack: meanwhile nobody was answered."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """`monotonic` is the clock of the channels' beats, in seconds."""

    database: Database
    bus: Bus
    outbox: Outbox
    channels: Mapping[str, Channel]
    monotonic: Callable[[], float] = time.monotonic

    async def hanging(self) -> str:
        """What doesn't turn any more, in words; "" where everything does."""
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                await self.database.read(lambda _: None)
        except TimeoutError:
            return f"the database has not answered for {_DATABASE_SECONDS:.0f} s"
        except StorageError:
            pass  # A disk that refuses is no hang: messages wait with their servers.
        if session := self.bus.stuck():
            return f"{session} has messages and nobody who answers them"
        if session := self.outbox.stuck():
            return f"{session} has messages to deliver and nobody who does"
        now = self.monotonic()
        for kind, channel in self.channels.items():
            beat = channel.status.beat
            if beat is not None and now - beat > BEAT_SECONDS:
                return f"the channel {kind} has not looked for messages for {now - beat:.0f} s"
        return ""


@dataclass(slots=True)
class Stalls:
    """Watches the event loop from a thread of its own. `longest` and `last` are in seconds, `count` since the start."""

    count: int = 0
    longest: float = 0.0
    delay: float = 0.0
    """How late the last tick was: what every message waits for besides."""
    _ticked: float = field(default_factory=time.monotonic)
    _stop: threading.Event = field(default_factory=threading.Event)

    async def watch(self) -> None:
        """Tick for ever; a thread looks whether the ticks come."""
        self._stop.clear()
        self._ticked = time.monotonic()
        watcher = threading.Thread(
            target=self._look, args=(threading.get_ident(),), name="stalls", daemon=True
        )
        watcher.start()
        try:
            while True:
                await asyncio.sleep(_TICK)
                now = time.monotonic()
                self.delay = max(now - self._ticked - _TICK, 0.0)
                self._ticked = now
                if self.delay >= STALL_SECONDS:
                    self.count += 1
                    self.longest = max(self.longest, self.delay)
                    log.warning("the event loop stood still for %.1f s", self.delay)
        finally:
            self._stop.set()

    def _look(self, loop_thread: int) -> None:
        """Write down, once for each stall, what the loop's thread is doing in it."""
        told = 0.0
        while not self._stop.wait(_TICK):
            ticked = self._ticked
            if time.monotonic() - ticked >= STALL_SECONDS + _TICK and told != ticked:
                told = ticked
                frame = sys._current_frames().get(loop_thread)  # noqa: SLF001 -- the only way to another thread's stack
                if frame is not None:
                    stack = "".join(traceback.format_stack(frame, limit=12))
                    log.warning("the event loop has stood still for %.1f s in:\n%s", STALL_SECONDS, stack)


def dump_on_abort() -> None:
    """Where systemd's watchdog ends us (SIGABRT), the journal says what every thread was doing."""
    faulthandler.enable()

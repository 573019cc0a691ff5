"""Keeps one child running as far as `rules` allow."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from channels.adapters.whatsapp.linked import rules
from channels.adapters.whatsapp.linked.line import Line
from channels.adapters.whatsapp.linked.protocol import Arrived, Link, Stop, Told
from channels.adapters.whatsapp.linked.rules import Standing, Then
from channels.errors import NotSent

log = logging.getLogger(__name__)

CHILD = (sys.executable, "-m", "channels.adapters.whatsapp.linked.child")
MARK = "linked"
"""A file that `nanobot login whatsapp` writes anew when a phone is linked."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `connect`: for a message to wait until a new child is connected; `call`: for the library's answer, which
    waits for 75 by itself; `look`: between two looks whether a phone was linked."""

    connect: float = 20.0
    call: float = 100.0
    silence: float = 45.0
    look: float = 3.0
    stop: float = 3.0
    clock: Callable[[], float] = time.monotonic


class Keeper:
    """`hear` gets the messages that arrive; `tell` what only the owner can mend."""

    def __init__(
        self,
        folder: Path,
        hear: Callable[[Arrived], None],
        tell: Callable[[str], None],
        pace: Pace,
        command: Sequence[str] = CHILD,
    ) -> None:
        self.standing = Standing()
        self._folder = folder
        self._hear = hear
        self._tell = tell
        self._pace = pace
        self._command = (*command, str(folder))
        self._line: Line | None = None
        self._starting = asyncio.Lock()
        self._changed = asyncio.Event()
        self._closed = False
        self._mark = self._marked()

    async def keep(self) -> None:
        """Start the child whenever the rules allow it, until cancelled."""
        while True:
            changed = self._changed
            self._review()
            if self._line is None and self._due():
                await self._start()
            try:
                async with asyncio.timeout(self._pause()):
                    await changed.wait()
            except TimeoutError:
                continue

    async def connected(self) -> Line:
        """The child's line, once it is connected to WhatsApp; one that just started is waited for. Raises NotSent."""
        self._review()
        if self._line is None and self._due():
            await self._start()
        line = self._line
        try:
            async with asyncio.timeout(self._pace.connect):
                while line is not None and line is self._line and not self.standing.up:
                    if self.standing.lost or self.standing.then is not Then.GO_ON:
                        break
                    await self._changed.wait()
        except TimeoutError:
            pass
        if line is None or line is not self._line or not self.standing.up:
            raise NotSent(f"WhatsApp: {self.standing.detail}")
        return line

    def say(self) -> Line | None:
        """The line, for what may be said into the void."""
        return self._line

    async def aclose(self) -> None:
        """End the child. None is started any more."""
        self._closed = True
        self.standing = Standing(Then.GO_ON, detail="is stopped", until=float("inf"), lost=True)
        self._pulse()
        line = self._line
        if line is None:
            return
        line.tell(Stop())
        try:
            async with asyncio.timeout(self._pace.stop):
                await line.ended.wait()
        except TimeoutError:
            line.kill("told to stop")
            await line.ended.wait()

    def _due(self) -> bool:
        now = self._pace.clock()
        return not self._closed and self.standing.then is not Then.STOP and now >= self.standing.until

    def _pause(self) -> float | None:
        if self.standing.then is Then.STOP:
            return self._pace.look
        left = self.standing.until - self._pace.clock()
        return None if left == float("inf") else max(left, 0.01)

    async def _start(self) -> None:
        async with self._starting:
            if self._line is not None or not self._due():
                return
            self._set(rules.started(self.standing, self._pace.clock()))
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._folder.chmod(0o700)
                line = await Line.opened(self._command, self._frame, self._gone, self._pace.silence)
            except OSError as error:
                self._set(rules.again(self.standing, f"its process can't start: {error}", self._pace.clock()))
                return
            self._line = line
            if line.ended.is_set():  # it was quicker than we
                self._gone(line, "its process ended at once")
            elif self.standing.then is not Then.GO_ON:
                line.kill(self.standing.detail)

    def _frame(self, frame: Told) -> None:
        match frame:
            case Arrived():
                self._hear(frame)
            case Link():
                self._set(rules.after(self.standing, frame, self._pace.clock()))

    def _gone(self, line: Line, why: str) -> None:
        if self._line is line:
            self._line = None
            if self._closed:
                return
            self._set(rules.exited(self.standing, why, self._pace.clock()))
            self._pulse()

    def _review(self) -> None:
        """What follows from time passing: a library that tries in vain, a phone that was linked anew."""
        self._set(rules.overdue(self.standing, self._pace.clock()))
        mark = self._marked()
        if mark != self._mark:
            self._mark = mark
            if self.standing.then is Then.STOP:
                self._set(Standing())

    def _marked(self) -> float:
        try:
            return (self._folder / MARK).stat().st_mtime
        except OSError:
            return 0.0

    def _set(self, standing: Standing) -> None:
        """Take up a standing: tell of it, and end the child where it says so."""
        if standing == self.standing:
            return
        before, self.standing = self.standing, standing
        if standing.detail != before.detail:
            log.log(
                logging.INFO if standing.up else logging.WARNING,
                "WhatsApp: %s",
                standing.detail or "connected",
            )
        if standing.tell and (not before.tell or standing.detail != before.detail):
            self._tell(f"WhatsApp: {standing.detail}")
        if standing.then is not Then.GO_ON and self._line is not None:
            self._line.kill(standing.detail)
        self._pulse()

    def _pulse(self) -> None:
        """Wake whoever waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def mark_linked(folder: Path) -> None:
    """Let a running daemon see that a phone was linked."""
    path = folder / MARK
    path.touch(mode=0o600)
    os.utime(path)

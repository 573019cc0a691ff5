"""The parent's end of the pipes to one child. Its callbacks run in the event loop; it makes no tasks."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self, cast

from channels.adapters.whatsapp.linked.protocol import (
    VERSION,
    Done,
    Failed,
    Fetch,
    Hello,
    Lines,
    Malformed,
    Order,
    Send,
    Told,
    encode,
    told,
)

log = logging.getLogger(__name__)

_STDIN, _STDOUT = 0, 1
_TAIL = 20
"""Lines of what the child printed, for when it dies."""


class Gone(Exception):
    """The child ended before it answered."""


class Line(asyncio.SubprocessProtocol):
    """`hear` gets every frame that answers no call; `gone` is told once why the child ended.

    A child that says nothing for `silence` seconds is killed.
    """

    def __init__(
        self, hear: Callable[[Told], None], gone: Callable[[Line, str], None], silence: float
    ) -> None:
        self._hear = hear
        self._gone = gone
        self._silence = silence
        self._lines = Lines()
        self._printed: deque[str] = deque(maxlen=_TAIL)
        self._numbers = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Done | Failed]] = {}
        self._process: asyncio.SubprocessTransport | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._why = ""
        self.ended = asyncio.Event()

    @classmethod
    async def opened(
        cls,
        command: Sequence[str],
        hear: Callable[[Told], None],
        gone: Callable[[Line, str], None],
        silence: float,
    ) -> Self:
        """Start a child. Raises OSError.

        In a session of its own, so that a Ctrl-C at the terminal reaches it by way of its parent only.
        """
        line = cls(hear, gone, silence)
        loop = asyncio.get_running_loop()
        await loop.subprocess_exec(lambda: line, *command, start_new_session=True)
        return line

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.get_pid()

    def tell(self, order: Order) -> None:
        """To a child that has ended, this says nothing."""
        pipe = None if self._process is None else self._process.get_pipe_transport(_STDIN)
        if pipe is not None and not self.ended.is_set():
            cast("asyncio.WriteTransport", pipe).write(encode(order))

    async def call(self, order: Send | Fetch, seconds: float) -> Done | Failed:
        """What became of an order; its number is given here. Raises Gone, TimeoutError."""
        if self.ended.is_set():
            raise Gone(self._why)
        number = next(self._numbers)
        answer: asyncio.Future[Done | Failed] = asyncio.get_running_loop().create_future()
        self._calls[number] = answer
        try:
            self.tell(replace(order, call=number))
            async with asyncio.timeout(seconds):
                return await answer
        finally:
            del self._calls[number]

    def kill(self, why: str) -> None:
        self._why = self._why or why
        if self._process is not None and self._process.get_returncode() is None:
            self._process.kill()

    # asyncio.SubprocessProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast("asyncio.SubprocessTransport", transport)
        self._heard()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != _STDOUT:
            lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
            self._printed.extend(lines)
            log.debug("the child printed: %s", " | ".join(lines))
            return
        self._heard()
        try:
            for line in self._lines.feed(data):
                self._take(told(line))
        except Malformed as error:
            self.kill(str(error))

    def connection_lost(self, _exc: Exception | None) -> None:
        """It has ended, and all that it said before was heard."""
        if self._alarm is not None:
            self._alarm.cancel()
        code = None
        if self._process is not None:
            code = self._process.get_returncode()
            self._process.close()
        if not self._why:
            self._why = f"WhatsApp's process ended by itself ({_ending(code)})"
            if self._printed and code:
                log.warning("%s; it had printed: %s", self._why, " | ".join(self._printed))
        self.ended.set()
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(Gone(self._why))
        self._gone(self, self._why)

    def _take(self, frame: Told) -> None:
        match frame:
            case Hello(version=version) if version != VERSION:
                raise Malformed(f"the child speaks version {version} of the protocol instead of {VERSION}")
            case Done() | Failed():
                answer = self._calls.get(frame.call)
                if answer is not None and not answer.done():
                    answer.set_result(frame)
            case _:
                self._hear(frame)

    def _heard(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(self._silence, self.kill, "WhatsApp's process has fallen silent")


def _ending(code: int | None) -> str:
    if code is None:
        return "unknown"
    return f"signal {-code}" if code < 0 else f"status {code}"

"""A terminal that shows what comes, and can be closed or break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from channels.errors import DeliveryError, NotSent, Unknown
from channels.terminal import Closed, Listener, Preview, TerminalChannel
from channels.types import Address
from tests.contract.counterpart import Counterpart


class Terminal:
    redelivers = False

    def __init__(self) -> None:
        self.channel = TerminalChannel()
        self.address = Address("terminal", "main")
        self._typed = 0
        self._lines: list[str] = []
        self._previewing = False
        self._breaks = False
        self._task: asyncio.Task[None] | None = None

    async def attach(self) -> None:
        self._attach()
        await asyncio.sleep(0)

    def _attach(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._show())

    async def detach(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _show(self) -> None:
        with suppress(Closed):
            while True:
                with suppress(BrokenPipeError):
                    async with self.channel.listen() as listener:
                        while True:
                            await self._show_next(listener)

    async def _show_next(self, listener: Listener) -> None:
        event = await listener.next(10.0)
        if event is None:
            return
        if self._breaks:
            self._breaks = False
            raise BrokenPipeError
        if self._previewing:
            self._lines.pop()
        self._previewing = isinstance(event, Preview)
        self._lines.append(event.text if isinstance(event, Preview) else event.out.text)

    async def say(self, text: str) -> None:
        await self.channel.submit(text)
        self._typed += 1

    def confirmed(self) -> int:
        return self._typed

    def shown(self) -> list[str]:
        return self._lines

    async def until(self, predicate: Callable[[], object]) -> None:
        async with asyncio.timeout(30.0):
            while not predicate():
                await asyncio.sleep(0)

    def failures(self) -> dict[str, type[DeliveryError]]:
        return {"no terminal": NotSent, "the terminal breaks": Unknown}

    async def fail(self, name: str) -> None:
        await self.detach()
        if name == "no terminal":
            asyncio.get_running_loop().call_later(0.01, self._attach)
        else:
            await self.attach()
            self._breaks = True

    def distract(self) -> None:
        """It draws its own sign of life."""


@asynccontextmanager
async def connected() -> AsyncIterator[Counterpart]:
    terminal = Terminal()
    await terminal.attach()
    try:
        yield terminal
    finally:
        await terminal.detach()

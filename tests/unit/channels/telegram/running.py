"""A Telegram channel against the Bot API stand-in, with short waits and a taker that keeps what it gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from channels.adapters.telegram.channel import TelegramChannel
from channels.adapters.telegram.receiver import Pace
from channels.adapters.telegram.settings import TelegramSettings
from channels.base import Command
from channels.testing import MemoryStore, host
from channels.types import DeliveryReport, Inbound
from tests.fakes.telegram import TelegramFake

MENU = (Command("help", "what I can do"), Command("new", "start anew"))


@dataclass
class Waits:
    """Sleeps that last next to nothing, and what they were asked to last; a clock that goes on by itself only then."""

    asked: list[float] = field(default_factory=list)
    now: float = 1000.0

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.now += seconds
        await asyncio.sleep(0.001)

    def monotonic(self) -> float:
        return self.now


@dataclass
class Inbox:
    """A taker. Each entry of `refusals` is raised once; `before` is called before anything is kept."""

    batches: list[list[Inbound]] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    offered: list[list[str]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    reports: list[DeliveryReport] = field(default_factory=list)

    async def take(self, batch: Sequence[Inbound]) -> None:
        self.offered.append([message.key for message in batch])
        self.before()
        if self.refusals:
            raise self.refusals.pop(0)
        self.batches.append(list(batch))

    async def report(self, report: DeliveryReport) -> None:
        self.reports.append(report)

    @property
    def messages(self) -> list[Inbound]:
        return [message for batch in self.batches for message in batch]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]


def channel_for(
    tg: TelegramFake,
    waits: Waits | None = None,
    *,
    store: MemoryStore | None = None,
    heard: list[str] | None = None,
    **settings: object,
) -> TelegramChannel:
    """`store` is kept over restarts, `heard` is what the owner is told, the rest are settings."""
    waits = waits or Waits()
    given = {"token": tg.token, "base_url": tg.base_url, **settings}
    lent = host(commands=MENU, told=heard)
    if store is not None:
        lent = replace(lent, store=store)
    pace = Pace(long_poll=5, answer=0.3, look=60, sleep=waits.sleep, monotonic=waits.monotonic)
    return TelegramChannel(TelegramSettings.model_validate(given), lent, pace=pace)


@asynccontextmanager
async def running(channel: TelegramChannel, inbox: Inbox) -> AsyncIterator[None]:
    task = asyncio.create_task(channel.run(inbox.take, inbox.report))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channel.aclose()

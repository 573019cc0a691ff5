"""A channel that runs against the stand-in of Meta's server, with clocks that a test turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels.adapters.whatsapp.cloud.channel import CloudChannel, Pace
from channels.adapters.whatsapp.settings import WhatsAppSettings
from channels.base import Host
from channels.testing import MemoryStore
from channels.types import Address, DeliveryReport, Inbound, Outbound
from tests.contract.drivers.channel_whatsapp import hook
from tests.fakes.whatsapp_cloud import WhatsAppFake

ANN = "16505551234"
DAY = 86_400.0


@dataclass
class Clock:
    """The real time and `ahead` seconds."""

    ahead: float = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@dataclass
class Scene:
    wa: WhatsAppFake
    channel: CloudChannel
    store: MemoryStore
    told: list[str]
    clock: Clock
    taken: list[Inbound] = field(default_factory=list)
    reports: list[DeliveryReport] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    """What storing raises next."""

    async def take(self, batch: Sequence[Inbound]) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken += batch

    async def report(self, report: DeliveryReport) -> None:
        self.reports.append(report)

    async def send(self, text: str, number: int = 1, chat: str = ANN, **fields: Any) -> str:
        receipt = await self.channel.send(Outbound(number, Address("whatsapp", chat), text, **fields))
        assert not receipt.settled
        return receipt.ref

    async def heard(self, number: int = 1) -> Inbound:
        await self.wa.until(lambda: len(self.taken) >= number and not self.wa.undelivered())
        return self.taken[number - 1]

    async def quiet(self) -> None:
        """Until everything under way has come."""
        await self.wa.until(lambda: not self.wa.undelivered())


@asynccontextmanager
async def scene(
    store: MemoryStore | None = None, *, statuses: bool = False, **settings: Any
) -> AsyncIterator[Scene]:
    async with WhatsAppFake(statuses=statuses) as wa:
        store, told = store or MemoryStore(), list[str]()
        clock = Clock()
        pace = Pace(clock=clock.time, monotonic=clock.monotonic)
        host = Host((), store, Path(), told.append)
        channel = CloudChannel(WhatsAppSettings.model_validate(wa.settings(**settings)), host, pace=pace)
        s = Scene(wa, channel, store, told, clock)
        running = asyncio.create_task(channel.run(s.take, s.report))
        await wa.until(lambda: channel.listens_at and channel.status.up)
        wa.hook = hook(channel)
        try:
            yield s
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await channel.aclose()

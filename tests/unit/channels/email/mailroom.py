"""A channel between a mailbox and a mail server in this process, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from channels.adapters.email.channel import EmailChannel
from channels.adapters.email.receiver import Pace
from channels.base import Host
from channels.testing import MemoryStore
from channels.types import DeliveryReport, Inbound
from tests.contract.drivers.channel_email import settings
from tests.fakes.imap import ImapFake
from tests.fakes.submission import Submission


@dataclass
class Mailroom:
    imap: ImapFake
    smtp: Submission
    refusals: list[Exception] = field(default_factory=list)
    store: MemoryStore = field(default_factory=MemoryStore)
    taken: list[Inbound] = field(default_factory=list)
    reports: list[DeliveryReport] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def take(self, batch: Sequence[Inbound]) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken += [one for one in batch if one.key not in {known.key for known in self.taken}]

    async def report(self, report: DeliveryReport) -> None:
        self.reports.append(report)

    @asynccontextmanager
    async def running(self, **more: object) -> AsyncIterator[EmailChannel]:
        async def soon(_seconds: float) -> None:
            await asyncio.sleep(0.005)

        host = Host((), self.store, None, self.told.append)  # type: ignore[arg-type]  # mail needs no folder
        channel = EmailChannel(settings(self.imap, self.smtp, **more), host, pace=Pace(sleep=soon))
        task = asyncio.create_task(channel.run(self.take, self.report))
        try:
            yield channel
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, predicate: Callable[[], object]) -> None:
        async with asyncio.timeout(30.0):
            while not predicate():
                await asyncio.sleep(0.005)

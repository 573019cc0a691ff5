"""A channel with its real child, and a stand-in for WhatsApp's servers behind the child's library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from channels.adapters.whatsapp.linked.channel import LinkedChannel
from channels.adapters.whatsapp.linked.keeper import Pace
from channels.testing import host, unreported
from channels.types import Address, Inbound, Outbound
from tests.fakes.whatsapp_linked.server import LinkedFake

ANNA = "4915112345678"
HER_JID = f"{ANNA}@s.whatsapp.net"
HER_CHAT = Address("whatsapp", ANNA)


@dataclass(frozen=True, slots=True)
class Settings:
    groups: bool = True
    streaming: bool = False


@dataclass
class Linked:
    """`taken` is what the bot has stored; `refusals` is raised first, one by one."""

    channel: LinkedChannel
    wa: LinkedFake
    folder: Path
    told: list[str] = field(default_factory=list)
    taken: list[Inbound] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)

    async def take(self, batch: Sequence[Inbound]) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken += batch

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.taken]

    @property
    def pid(self) -> int | None:
        line = self.channel._keeper.say()
        return None if line is None else line.pid

    async def up(self) -> None:
        await self.wa.until(lambda: self.channel.status.up)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.channel.run(self.take, unreported))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def out(number: int, text: str, edits: str = "", reply_to: str = "") -> Outbound:
    return Outbound(number, HER_CHAT, text, edits=edits, reply_to=reply_to)


@asynccontextmanager
async def linked(
    folder: Path, *, settings: Settings | None = None, pace: Pace | None = None, phone: bool = True
) -> AsyncIterator[Linked]:
    told: list[str] = []
    async with LinkedFake() as wa:
        if phone:
            wa.link(folder)
        lent = host(folder, told=told)
        channel = LinkedChannel(settings or Settings(), lent, pace=pace, command=wa.command)
        try:
            yield Linked(channel, wa, folder, told)
        finally:
            await channel.aclose()

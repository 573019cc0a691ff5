"""A person with WhatsApp, by way of the Cloud API's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from channels.adapters.whatsapp.cloud.channel import CloudChannel, Pace
from channels.adapters.whatsapp.settings import WhatsAppSettings
from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.testing import host
from channels.types import Address
from tests.contract.counterpart import Counterpart
from tests.fakes.whatsapp_cloud import WhatsAppFake

ANN = "16505551234"
QUICK = Pace(told_after=0.01)


class WhatsApp:
    redelivers = True

    def __init__(self, wa: WhatsAppFake, channel: CloudChannel) -> None:
        self.channel = channel
        self.address = Address("whatsapp", ANN)
        self._wa = wa

    async def say(self, text: str) -> None:
        await self.until(lambda: self.channel.listens_at)
        self._wa.hook = hook(self.channel)
        self._wa.says(ANN, text)

    def confirmed(self) -> int:
        return self._wa.answers.count(200)

    def shown(self) -> list[str]:
        return [text.replace("```", "") for text in self._wa.shown(ANN)]

    async def until(self, predicate: Callable[[], object]) -> None:
        await self._wa.until(predicate)

    def failures(self) -> dict[str, type[DeliveryError]]:
        return {"lost answer": Unknown, "undeliverable": Refused, "asks to wait": NotSent}

    async def fail(self, name: str) -> None:
        if name == "lost answer":
            self._wa.drops()
        elif name == "undeliverable":
            self._wa.fails(131026)
        else:
            self._wa.fails(131016)

    def distract(self) -> None:
        self._wa.drops()


def hook(channel: CloudChannel) -> str:
    """Where the channel takes deliveries now."""
    assert channel.listens_at is not None
    host, port = channel.listens_at
    return f"http://{host}:{port}/whatsapp"


@asynccontextmanager
async def connected() -> AsyncIterator[Counterpart]:
    async with WhatsAppFake(statuses=False) as wa:
        settings = WhatsAppSettings.model_validate(wa.settings())
        channel = CloudChannel(settings, host(), pace=QUICK)
        try:
            yield WhatsApp(wa, channel)
        finally:
            await channel.aclose()

"""The channel in memory is its own counterpart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.testing import LoopbackChannel
from channels.types import Address
from tests.contract.counterpart import Counterpart


class Loopback:
    redelivers = True

    def __init__(self) -> None:
        self.channel = LoopbackChannel()
        self.address = Address("loopback", "1")

    async def say(self, text: str) -> None:
        self.channel.say(text)

    def confirmed(self) -> int:
        return len(self.channel.order("confirmed"))

    def shown(self) -> list[str]:
        return self.channel.seen()

    async def until(self, predicate: Callable[[], object]) -> None:
        await self.channel.until(predicate)

    def failures(self) -> dict[str, type[DeliveryError]]:
        return {kind.__name__: kind for kind in (NotSent, Unknown, Refused)}

    async def fail(self, name: str) -> None:
        self.channel.fail(self.failures()[name](name))

    def distract(self) -> None:
        """Its sign of typing can't fail."""


@asynccontextmanager
async def connected() -> AsyncIterator[Counterpart]:
    yield Loopback()

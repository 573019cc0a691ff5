"""A person with Telegram, by way of the Bot API stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from channels.adapters.telegram.channel import TelegramChannel
from channels.adapters.telegram.receiver import Pace
from channels.adapters.telegram.settings import TelegramSettings
from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.testing import host
from channels.types import Address
from tests.contract.counterpart import Counterpart
from tests.fakes.telegram import TelegramFake


class Telegram:
    redelivers = True

    def __init__(self, tg: TelegramFake, channel: TelegramChannel) -> None:
        self.channel = channel
        self.address = Address("telegram", "42")
        self._tg = tg
        self._said = 0
        tg.add_chat(42)

    async def say(self, text: str) -> None:
        self._tg.user_says(42, text)
        self._said += 1

    def confirmed(self) -> int:
        return self._said - self._tg.pending_updates

    def shown(self) -> list[str]:
        return [message.text for message in self._tg.answers(42)]

    async def until(self, predicate: Callable[[], object]) -> None:
        await self._tg.wait_for(predicate)

    def failures(self) -> dict[str, type[DeliveryError]]:
        return {"flood": NotSent, "lost answer": Unknown, "blocked": Refused}

    async def fail(self, name: str) -> None:
        if name == "flood":
            self._tg.faults.error("sendMessage", 429, retry_after=1)
        elif name == "lost answer":
            self._tg.faults.drop("sendMessage")
        else:
            self._tg.faults.error("sendMessage", 403, "Forbidden: bot was blocked by the user")

    def distract(self) -> None:
        self._tg.faults.drop("sendChatAction")


@asynccontextmanager
async def connected() -> AsyncIterator[Counterpart]:
    async with TelegramFake() as tg:
        settings = TelegramSettings.model_validate({"token": tg.token, "base_url": tg.base_url})
        channel = TelegramChannel(settings, host(), pace=Pace(long_poll=5))
        try:
            yield Telegram(tg, channel)
        finally:
            await channel.aclose()

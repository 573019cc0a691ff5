"""A person with WhatsApp and the bot as a linked device: the real child, and a stand-in for WhatsApp's servers."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.adapters.whatsapp.linked.channel import LinkedChannel
from channels.adapters.whatsapp.settings import WhatsAppSettings
from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.testing import host
from channels.types import Address
from tests.contract.counterpart import Counterpart
from tests.fakes.whatsapp_linked import protos
from tests.fakes.whatsapp_linked.messages import From, text
from tests.fakes.whatsapp_linked.server import LinkedFake

_ANNA = "4915112345678"
_WORDS = {
    "not connected": "websocket not connected",
    "no answer": "timed out waiting for message send response",
    "not on WhatsApp": f"no LID found for {_ANNA}@s.whatsapp.net from server",
}


class WhatsAppLinked:
    redelivers = True

    def __init__(self, wa: LinkedFake, channel: LinkedChannel) -> None:
        self.channel = channel
        self.address = Address("whatsapp", _ANNA)
        self._wa = wa

    async def say(self, words: str) -> None:
        self._wa.say(text(words, From(writer=_ANNA)))

    def confirmed(self) -> int:
        return len(self._wa.read)

    def shown(self) -> list[str]:
        return [words.replace("```", "") for words in self._wa.texts()]

    async def until(self, predicate: Callable[[], object]) -> None:
        await self._wa.until(predicate)

    def failures(self) -> dict[str, type[DeliveryError]]:
        return dict(zip(_WORDS, (NotSent, Unknown, Refused), strict=True))

    async def fail(self, name: str) -> None:
        self._wa.fail(_WORDS[name])

    def distract(self) -> None:
        self._wa.distract()


@asynccontextmanager
async def connected() -> AsyncIterator[Counterpart]:
    if not protos.installed():
        pytest.skip("neonize is not installed: pip install 'nanobot-daemon[whatsapp]'")
    settings = WhatsAppSettings(mode="linked", streaming=True)
    with tempfile.TemporaryDirectory() as folder:
        async with LinkedFake() as wa:
            wa.link(Path(folder))
            channel = LinkedChannel(settings, host(Path(folder)), command=wa.command)
            try:
                yield WhatsAppLinked(wa, channel)
            finally:
                await channel.aclose()

"""What a person sees while an answer is being made, on a clock that runs by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from bot.agent.preview import Preview
from bot.supervisor import Supervisor
from channels.errors import DeliveryError, NotSent, Unknown
from channels.testing import LoopbackChannel
from channels.types import Address

pytestmark = pytest.mark.looptime

AT = Address("loopback", "1")


@asynccontextmanager
async def shown(channel: LoopbackChannel) -> AsyncIterator[tuple[Preview, list[str]]]:
    recorded: list[str] = []

    async def record(ref: str) -> None:
        recorded.append(ref)

    async with Supervisor() as supervisor:
        preview = Preview(channel, AT, record, "")
        preview.start(supervisor)
        yield preview, recorded
        await preview.close()


class Refusing(LoopbackChannel):
    """Its first preview fails."""

    def __init__(self, error: DeliveryError) -> None:
        super().__init__(preview_interval=1.0)
        self._error: DeliveryError | None = error

    async def preview(self, address: Address, text: str, ref: str, reply_to: str = "") -> str:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return await super().preview(address, text, ref, reply_to)


def events(channel: LoopbackChannel, what: str) -> list[str]:
    return [event.about for event in channel.log if event.what == what]


async def test_a_quick_answer_shows_nothing_beforehand() -> None:
    channel = LoopbackChannel(preview_interval=1.5)
    async with shown(channel) as (preview, recorded):
        preview.add("Hi")
        await asyncio.sleep(0.4)
    assert channel.log == []
    assert recorded == []


async def test_typing_is_shown_and_renewed() -> None:
    channel = LoopbackChannel(preview_interval=0.0)
    async with shown(channel):
        await asyncio.sleep(10)
    assert len(events(channel, "working")) == 3


async def test_text_is_edited_at_the_channels_pace_and_recorded_once() -> None:
    channel = LoopbackChannel(preview_interval=1.5)
    async with shown(channel) as (preview, recorded):
        for number in range(100):
            preview.add(f"{number} ")
            await asyncio.sleep(0.1)
    texts = channel.messages[0].history
    assert len(channel.messages) == 1
    assert 6 <= len(texts) <= 8
    assert all(text.endswith(" ▌") for text in texts), "what is unfinished is told from an answer"
    assert all(later.startswith(earlier[:-2]) for earlier, later in pairwise(texts))
    assert recorded == [channel.messages[0].ref]


async def test_a_stream_that_starts_over_replaces_what_was_shown() -> None:
    channel = LoopbackChannel(preview_interval=1.0)
    async with shown(channel) as (preview, _):
        preview.add("wrong")
        await asyncio.sleep(3)
        preview.restart()
        preview.add("right")
        await asyncio.sleep(3)
    assert [message.text for message in channel.messages] == ["right ▌"]


async def test_long_silence_is_broken_by_a_word() -> None:
    channel = LoopbackChannel(preview_interval=1.5)
    async with shown(channel) as (preview, _):
        await asyncio.sleep(40)
        assert channel.messages[0].text.startswith("⏳")
        preview.add("At last")
        await asyncio.sleep(3)
    assert [message.text for message in channel.messages] == ["At last ▌"]


async def test_a_preview_of_unknown_fate_is_the_last() -> None:
    channel = Refusing(Unknown("no answer"))
    async with shown(channel) as (preview, recorded):
        for _ in range(50):
            preview.add("word ")
            await asyncio.sleep(1)
    assert channel.messages == []
    assert recorded == []


async def test_flood_control_is_waited_out() -> None:
    channel = Refusing(NotSent("flood", retry_after=20))
    async with shown(channel) as (preview, _):
        for _ in range(15):
            preview.add("word ")
            await asyncio.sleep(1)
        assert channel.messages == []
        await asyncio.sleep(10)
        assert len(channel.messages) == 1

"""The channel in memory tells the order of things, and fails as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from channels.errors import Unknown
from channels.testing import Event, LoopbackChannel, unreported
from channels.types import Address, Inbound, Outbound

HERE = Address("loopback", "1")


async def test_taking_comes_before_confirming() -> None:
    channel = LoopbackChannel()
    refusals: list[Exception] = [OSError("disk full")]

    async def take(batch: Sequence[Inbound]) -> None:
        if refusals:
            raise refusals.pop()

    running = asyncio.create_task(channel.run(take, unreported))
    message = channel.say("hello", thread="7", addressed=False)
    await channel.until(lambda: channel.is_confirmed(message))
    running.cancel()

    assert (message.address, message.addressed) == (Address("loopback", "1", "7"), False)
    assert channel.log == [
        Event(what, message.key) for what in ("offered", "refused", "offered", "confirmed")
    ]


async def test_a_message_can_come_twice() -> None:
    channel = LoopbackChannel()
    taken: list[str] = []

    async def take(batch: Sequence[Inbound]) -> None:
        taken.extend(message.key for message in batch)

    running = asyncio.create_task(channel.run(take, unreported))
    message = channel.say("hello")
    channel.deliver(message)
    await channel.until(lambda: len(taken) == 2)
    running.cancel()

    assert taken == [message.key] * 2


async def test_an_unknown_outcome_may_have_taken_effect() -> None:
    channel = LoopbackChannel()
    channel.fail(Unknown("no answer"), took_effect=True)
    channel.fail(Unknown("no answer"))

    for _ in range(2):
        with pytest.raises(Unknown):
            await channel.send(Outbound(1, HERE, "hello"))
    await channel.send(Outbound(1, HERE, "hello"))

    assert channel.seen() == ["hello", "hello"]
    assert [event.what for event in channel.log] == ["sent", "failed", "failed", "sent"]


async def test_without_its_preview_an_answer_is_a_new_message() -> None:
    channel = LoopbackChannel()
    ref = await channel.preview(HERE, "Hel", "")
    kept = await channel.send(Outbound(1, HERE, "Hello", edits=ref))
    channel.forget(ref)
    new = await channel.send(Outbound(2, HERE, "again", edits=ref))

    assert kept.ref == ref != new.ref
    assert channel.seen() == ["again"]
    assert channel.messages[0].history == ["again"]


async def test_waiting_in_vain_says_what_happened() -> None:
    channel = LoopbackChannel()
    await channel.working(HERE)

    with pytest.raises(TimeoutError, match="working"):
        await channel.until(channel.seen, seconds=0.01)

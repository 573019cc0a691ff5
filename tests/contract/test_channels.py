"""Every channel in `channels/adapters`, the terminal's and the one in memory, through the same suite.

A channel needs a driver, `drivers/channel_<kind>.py`: `connected()`, a context that yields its `Counterpart`.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import pkgutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

import pytest

import channels.adapters
from channels.base import ChannelSpec, PersonKey
from channels.errors import DeliveryError
from channels.types import Address, DeliveryReport, Inbound, Outbound
from tests.contract.counterpart import Counterpart

ADAPTERS = [module.name for module in pkgutil.iter_modules(channels.adapters.__path__)]
KINDS = [*ADAPTERS, "whatsapp_linked", "terminal", "loopback"]


@pytest.fixture(params=KINDS)
async def there(request: pytest.FixtureRequest) -> AsyncIterator[Counterpart]:
    name = f"tests.contract.drivers.channel_{request.param}"
    if importlib.util.find_spec(name) is None:
        pytest.fail(f"the channel {request.param!r} has no driver; write {name.replace('.', '/')}.py")
    async with importlib.import_module(name).connected() as counterpart:
        yield counterpart


@dataclass
class Taker:
    """Keeps what it is offered, after raising each of `refusals` once."""

    there: Counterpart
    refusals: list[Exception] = field(default_factory=list)
    offered: list[Inbound] = field(default_factory=list)
    taken: list[Inbound] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    reports: list[DeliveryReport] = field(default_factory=list)

    async def take(self, batch: Sequence[Inbound]) -> None:
        self.offered += batch
        self.confirmed.append(self.there.confirmed())
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken += batch

    async def report(self, report: DeliveryReport) -> None:
        self.reports.append(report)


@asynccontextmanager
async def receiving(there: Counterpart, *refusals: Exception) -> AsyncIterator[Taker]:
    taker = Taker(there, list(refusals))
    task = asyncio.create_task(there.channel.run(taker.take, taker.report))
    try:
        yield taker
    finally:
        task.cancel()
        async with asyncio.timeout(1.0):
            await asyncio.gather(task, return_exceptions=True)


def out(there: Counterpart, number: int, text: str, edits: str = "") -> Outbound:
    return Outbound(number, there.address, text, edits=edits)


async def test_a_message_arrives_as_it_was_written(there: Counterpart) -> None:
    async with receiving(there) as taker:
        await there.say("Hello *there* <you> & 🚀")
        await there.until(lambda: taker.taken)

    (message,) = taker.taken
    assert message.text == "Hello *there* <you> & 🚀"
    assert message.address == there.address
    assert message.address.channel == there.channel.kind
    assert message.key
    assert message.sender.id
    assert message.at.utcoffset() == timedelta(0)
    assert message.at.tzinfo is UTC or message.at.tzname() == "UTC"
    assert (message.private, message.addressed, message.more_follows) == (True, True, False)


async def test_messages_arrive_in_order_with_keys_of_their_own(there: Counterpart) -> None:
    async with receiving(there) as taker:
        for number in range(5):
            await there.say(f"message {number}")
        await there.until(lambda: len(taker.taken) == 5)

    assert [message.text for message in taker.taken] == [f"message {number}" for number in range(5)]
    assert len({message.key for message in taker.taken}) == 5


async def test_nothing_is_confirmed_before_it_is_stored(there: Counterpart) -> None:
    async with receiving(there) as taker:
        await there.say("hello")
        await there.until(lambda: there.confirmed() == 1)

    assert taker.confirmed == [0]


async def test_what_was_not_stored_comes_again_or_its_writer_is_told(there: Counterpart) -> None:
    async with receiving(there, OSError("disk full")) as taker:
        if there.redelivers:
            await there.say("hello")
            await there.until(lambda: there.confirmed() == 1)
            assert [message.key for message in taker.offered] == [taker.taken[0].key] * 2
        else:
            with pytest.raises(OSError, match="disk full"):
                await there.say("hello")
            assert there.confirmed() == 0
    assert taker.confirmed[0] == 0


async def test_what_is_sent_is_shown(there: Counterpart) -> None:
    receipts = [await there.channel.send(out(there, number, f"piece {number}")) for number in range(3)]

    await there.until(lambda: len(there.shown()) == 3)
    assert there.shown() == ["piece 0", "piece 1", "piece 2"]
    assert len({receipt.ref for receipt in receipts} - {""}) == 3
    assert there.channel.status.last_sent_at is not None


async def test_an_answer_takes_the_place_of_its_preview(there: Counterpart) -> None:
    if not there.channel.preview_interval:
        assert await there.channel.preview(there.address, "Hel", "") == ""
        return
    ref = await there.channel.preview(there.address, "Hel", "")
    assert ref
    assert await there.channel.preview(there.address, "Hello wor", ref) == ref
    await there.until(lambda: there.shown() == ["Hello wor"])

    await there.channel.send(out(there, 1, "Hello world", ref))
    await there.until(lambda: there.shown() == ["Hello world"])


async def test_each_way_of_failing_counts_as_what_it_is(there: Counterpart) -> None:
    assert there.failures()
    for number, (name, expected) in enumerate(there.failures().items()):
        await there.fail(name)
        with pytest.raises(DeliveryError) as failed:
            await there.channel.send(out(there, number, f"lost {number}"))
        assert type(failed.value) is expected, name
        assert failed.value.detail
        assert "\n" not in failed.value.detail


async def test_after_a_failure_the_next_send_works(there: Counterpart) -> None:
    await there.fail(next(iter(there.failures())))
    with pytest.raises(DeliveryError):
        await there.channel.send(out(there, 1, "hello"))

    async with asyncio.timeout(30.0):
        while True:
            try:
                await there.channel.send(out(there, 1, "hello"))
            except DeliveryError:
                await asyncio.sleep(0.005)
            else:
                break
    await there.until(lambda: "hello" in there.shown())


async def test_a_long_text_arrives_whole(there: Counterpart) -> None:
    words = [f"word{number}" for number in range(1500)]
    text = f"{' '.join(words[:1000])}\n\n```python\n" + "\n".join(words[1000:]) + "\n```"

    pieces = there.channel.split(text)
    for number, piece in enumerate(pieces):
        await there.channel.send(out(there, number, piece))

    await there.until(lambda: len(there.shown()) == len(pieces))
    assert [word for word in " ".join(there.shown()).split() if word.startswith("word")] == words
    assert all(piece.strip() for piece in pieces)


async def test_nothing_gives_no_piece(there: Counterpart) -> None:
    assert there.channel.split("") == []
    assert there.channel.split(" \n ") == []


async def test_a_sign_of_typing_never_fails(there: Counterpart) -> None:
    await there.channel.working(there.address)
    there.distract()
    await there.channel.working(there.address)


async def test_status_says_how_it_stands(there: Counterpart) -> None:
    async with receiving(there) as taker:
        await there.say("hello")
        await there.until(lambda: taker.taken and there.confirmed() == 1)

        status = there.channel.status
        assert status.up
        assert "\n" not in status.detail
        assert status.last_received_at is not None


async def test_it_receives_again_after_it_was_cancelled(there: Counterpart) -> None:
    async with receiving(there) as before:
        await there.say("before")
        await there.until(lambda: before.taken)
    async with receiving(there) as after:
        await there.say("after")
        await there.until(lambda: after.taken)

    assert after.taken[-1].text == "after"


async def test_closing_twice_is_closing(there: Counterpart) -> None:
    await there.channel.aclose()
    await there.channel.aclose()


@pytest.mark.parametrize("kind", ADAPTERS)
def test_the_folder_exports_its_spec_by_its_own_name(kind: str) -> None:
    spec: Any = importlib.import_module(f"channels.adapters.{kind}").SPEC

    assert isinstance(spec, ChannelSpec)
    assert spec.kind == kind
    assert spec.settings.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("kind", ADAPTERS)
def test_what_a_person_is_known_by_is_a_text_or_a_value_error(kind: str) -> None:
    key: PersonKey | None = importlib.import_module(f"channels.adapters.{kind}").SPEC.person
    if key is None:
        return
    assert key.expected
    wrong: list[Any] = [True, None, "", [], {}, 1.5]
    for value in wrong:
        with pytest.raises(ValueError, match=r"."):
            key.normalise(value)


def test_a_kind_without_a_driver_would_be_noticed() -> None:
    assert importlib.util.find_spec("tests.contract.drivers.channel_pigeon") is None
    assert {"telegram", "terminal", "loopback"} <= set(KINDS)


def test_addresses_of_topics_differ() -> None:
    assert str(Address("telegram", "-1", "7")) != str(Address("telegram", "-1"))

"""A piece is sent once a terminal has dealt with it; until then it waits, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from channels.errors import NotSent, Unknown
from channels.terminal import Closed, Listener, Piece, Preview, TerminalChannel
from channels.testing import unreported
from channels.types import Address, Inbound, Outbound, Receipt

HERE = Address("terminal", "main")


def piece(number: int, text: str = "", edits: str = "") -> Outbound:
    return Outbound(number, HERE, text or f"piece {number}", edits=edits)


async def shown(listener: Listener, count: int) -> list[str]:
    """The next events as a terminal shows them."""
    found = []
    for _ in range(count):
        event = await listener.next(1.0)
        assert event is not None
        found.append(event.text if isinstance(event, Preview) else event.out.text)
    return found


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_without_a_terminal_nothing_is_sent() -> None:
    with pytest.raises(NotSent, match="no terminal is attached"):
        await TerminalChannel().send(piece(1))


async def test_a_piece_is_sent_when_the_terminal_asks_for_the_next() -> None:
    channel = TerminalChannel()
    async with channel.listen() as listener:
        sending = asyncio.create_task(channel.send(piece(1)))
        assert await listener.next(1.0) == Piece(piece(1))
        await settle()
        assert not sending.done()

        assert await listener.next(0.0) is None
        assert await sending == Receipt("1")


async def test_leaving_in_order_confirms_the_last_piece() -> None:
    channel = TerminalChannel()
    async with channel.listen() as listener:
        sending = asyncio.create_task(channel.send(piece(1)))
        await listener.next(1.0)

    assert await sending == Receipt("1")


async def test_a_terminal_that_breaks_while_showing_leaves_doubt() -> None:
    channel = TerminalChannel()

    async def terminal() -> None:
        async with channel.listen() as listener:
            await listener.next(1.0)
            raise ConnectionResetError

    broken = asyncio.create_task(terminal())
    await settle()
    with pytest.raises(Unknown):
        await channel.send(piece(1))
    with pytest.raises(ConnectionResetError):
        await broken


async def test_what_was_not_taken_waits_for_the_next_terminal() -> None:
    channel = TerminalChannel()
    async with channel.listen():
        sending = asyncio.create_task(channel.send(piece(1)))
        await settle()

    with pytest.raises(NotSent):
        await sending


async def test_attaching_is_announced() -> None:
    channel = TerminalChannel()
    announced: list[str] = []
    channel.on_attach = lambda: announced.append(channel.status.detail)

    async with channel.listen():
        pass

    assert announced == ["1 attached"]


async def test_a_second_terminal_shows_what_the_first_is_stuck_with() -> None:
    channel = TerminalChannel()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(channel.listen())
        sending = asyncio.create_task(channel.send(piece(1)))
        await settle()
        fresh = await stack.enter_async_context(channel.listen())

        assert await shown(fresh, 1) == ["piece 1"]
        await fresh.next(0.0)
        assert await sending == Receipt("1")


async def test_every_terminal_shows_everything() -> None:
    channel = TerminalChannel()
    async with channel.listen() as one, channel.listen() as two:
        for number in (1, 2):
            sending = asyncio.create_task(channel.send(piece(number)))
            assert await shown(one, 1) == [f"piece {number}"]
            await one.next(0.0)
            await sending

        assert await shown(two, 2) == ["piece 1", "piece 2"]


async def test_only_the_latest_preview_waits() -> None:
    channel = TerminalChannel()
    async with channel.listen() as listener:
        for text in ("a", "ab", "abc"):
            assert await channel.preview(HERE, text, "")
        assert await shown(listener, 1) == ["abc"]
        assert await listener.next(0.0) is None


async def test_an_answer_overtakes_the_preview_that_it_replaces() -> None:
    channel = TerminalChannel()
    async with channel.listen() as listener:
        ref = await channel.preview(HERE, "Hel", "")
        sending = asyncio.create_task(channel.send(piece(1, "Hello", ref)))
        await settle()

        assert await shown(listener, 1) == ["Hello"]
        assert await listener.next(0.0) is None
        await sending


async def test_a_preview_that_nobody_sees_leaves_no_trace() -> None:
    assert await TerminalChannel().preview(HERE, "Hel", "") == ""


async def test_a_cancelled_piece_is_not_shown_any_more() -> None:
    channel = TerminalChannel()
    async with channel.listen() as listener:
        sending = asyncio.create_task(channel.send(piece(1)))
        await settle()
        sending.cancel()
        await settle()

        assert await listener.next(0.0) is None


async def test_the_end_of_the_channel_ends_its_listeners() -> None:
    channel = TerminalChannel()
    async with channel.listen() as listener:
        waiting = asyncio.create_task(listener.next(60.0))
        await settle()
        await channel.aclose()

        with pytest.raises(Closed):
            await waiting
        with pytest.raises(Closed):
            await listener.next(0.0)


async def test_what_is_typed_is_taken_before_it_is_confirmed() -> None:
    channel = TerminalChannel()
    taken: list[Inbound] = []

    async def take(batch: object) -> None:
        assert isinstance(batch, list)
        taken.extend(batch)

    typing = asyncio.create_task(channel.submit("hello"))
    await settle()
    assert not typing.done()
    running = asyncio.create_task(channel.run(take, unreported))
    await typing
    await channel.submit("again")
    running.cancel()

    assert [message.text for message in taken] == ["hello", "again"]
    assert len({message.key for message in taken}) == 2
    assert str(taken[0].address) == channel.session
    assert channel.status.last_received_at is not None


async def test_what_could_not_be_stored_is_told_to_the_one_who_typed_it() -> None:
    channel = TerminalChannel()

    async def take(_: object) -> None:
        raise OSError("disk full")

    running = asyncio.create_task(channel.run(take, unreported))
    with pytest.raises(OSError, match="disk full"):
        await channel.submit("hello")
    running.cancel()

"""Unfinished answers: plain, short enough, at a rate that Telegram bears, and never in the way."""

from __future__ import annotations

import pytest

from channels.errors import NotSent
from channels.types import Address
from tests.fakes.telegram import TelegramFake
from tests.unit.channels.telegram.running import Waits, channel_for

ME = Address("telegram", "42")
GROUP = Address("telegram", "-100")


async def test_a_preview_is_one_message_that_grows(tg: TelegramFake) -> None:
    tg.add_chat(42)
    channel = channel_for(tg)

    ref = await channel.preview(ME, "**Hel", "")
    assert await channel.preview(ME, "**Hello** `wor", ref) == ref
    assert await channel.preview(ME, "**Hello** `world`", ref) == ref

    (message,) = tg.answers(42)
    assert [shown.text for shown in message.history] == ["**Hel", "Hello `wor", "Hello world"]
    assert not any(shown.entities for shown in message.history)
    await channel.aclose()


async def test_a_long_preview_shows_its_end(tg: TelegramFake) -> None:
    tg.add_chat(42)
    channel = channel_for(tg)

    await channel.preview(ME, "🚀" * 9000 + "the end", "")

    (message,) = tg.answers(42)
    assert message.text.startswith("…🚀")
    assert message.text.endswith("🚀the end")
    await channel.aclose()


async def test_nothing_to_see_yet_is_not_shown(tg: TelegramFake) -> None:
    tg.add_chat(42)
    channel = channel_for(tg)

    assert await channel.preview(ME, "```python\n", "") == ""
    assert tg.answers(42) == []
    await channel.aclose()


async def test_a_preview_that_was_deleted_starts_again(tg: TelegramFake) -> None:
    tg.add_chat(42)
    channel = channel_for(tg)
    ref = await channel.preview(ME, "one", "")
    tg.answers(42)[0].deleted = True

    again = await channel.preview(ME, "one two", ref)

    assert again not in {"", ref}
    assert [message.text for message in tg.answers(42)] == ["one two"]
    await channel.aclose()


async def test_groups_see_fewer_updates(tg: TelegramFake) -> None:
    tg.add_chat(-100)
    waits = Waits()
    channel = channel_for(tg, waits)

    asked = tg.user_says(-100, "count!").message_id
    ref = await channel.preview(GROUP, "one", "", str(asked))
    for words in ("one two", "one two three"):
        waits.now += 1.5
        assert await channel.preview(GROUP, words, ref) == ref
    waits.now += 1.5
    await channel.preview(GROUP, "one two three four", ref)

    (message,) = tg.answers(-100)
    assert [shown.text for shown in message.history] == ["one", "one two three four"]
    assert message.reply_to == asked
    await channel.aclose()


async def test_flood_control_pauses_the_previews_of_its_chat(tg: TelegramFake) -> None:
    tg.add_chat(42)
    tg.add_chat(43)
    waits = Waits()
    channel = channel_for(tg, waits)
    ref = await channel.preview(ME, "one", "")
    tg.faults.error("editMessageText", 429, retry_after=9)

    with pytest.raises(NotSent) as caught:
        await channel.preview(ME, "one two", ref)
    assert caught.value.retry_after == 9
    assert await channel.preview(ME, "one two three", ref) == ref
    assert await channel.preview(Address("telegram", "43"), "other", "")
    waits.now += 9
    await channel.preview(ME, "one two three four", ref)

    assert [shown.text for shown in tg.answers(42)[0].history] == ["one", "one two three four"]
    await channel.aclose()


async def test_streaming_can_be_switched_off(tg: TelegramFake) -> None:
    shown, silent = channel_for(tg), channel_for(tg, streaming=False)

    assert (shown.preview_interval, silent.preview_interval) == (1.5, 0.0)
    await shown.aclose()
    await silent.aclose()


async def test_typing_is_shown_in_the_topic(tg: TelegramFake) -> None:
    tg.add_topic(-100, 7)
    channel = channel_for(tg)

    await channel.working(Address("telegram", "-100", "7"))

    assert tg.is_typing(-100, 7)
    assert not tg.is_typing(-100)
    await channel.aclose()


@pytest.mark.parametrize("kind", ["drop", "html", "truncate"])
async def test_typing_never_fails(tg: TelegramFake, kind: str) -> None:
    tg.add_chat(42)
    channel = channel_for(tg)
    getattr(tg.faults, kind)("sendChatAction")
    tg.faults.error("sendChatAction", 403)

    await channel.working(ME)
    await channel.working(ME)

    assert len(tg.calls("sendChatAction")) == 2
    await channel.aclose()

"""getUpdates: confirmation by offset, redelivery, one poller at a time."""

from __future__ import annotations

import asyncio

import pytest
from telegram import Bot, Update
from telegram.error import Conflict

from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.updates import KEPT, UpdateQueue

from .conftest import CHAT, client_of


def texts(updates: tuple[Update, ...]) -> list[str | None]:
    return [update.effective_message.text for update in updates if update.effective_message]


async def test_updates_come_again_until_they_are_confirmed(tg: TelegramFake, bot: Bot) -> None:
    for text in ("one", "two"):
        tg.user_says(CHAT, text)
    first = await bot.get_updates()
    assert texts(first) == ["one", "two"]
    assert texts(await bot.get_updates()) == ["one", "two"]
    assert texts(await bot.get_updates(offset=first[0].update_id + 1)) == ["two"]
    assert texts(await bot.get_updates()) == ["two"], "what was confirmed is gone for good"
    assert await bot.get_updates(offset=first[1].update_id + 1) == ()
    assert tg.pending_updates == 0


async def test_a_negative_offset_keeps_only_the_last(tg: TelegramFake, bot: Bot) -> None:
    for text in ("one", "two", "three"):
        tg.user_says(CHAT, text)
    assert texts(await bot.get_updates(offset=-1)) == ["three"]
    assert texts(await bot.get_updates()) == ["three"]


async def test_an_offset_far_in_the_future_is_not_believed(tg: TelegramFake, bot: Bot) -> None:
    tg.user_says(CHAT, "kept")
    assert texts(await bot.get_updates(offset=10**9)) == ["kept"]


async def test_numbers_may_start_again_lower(tg: TelegramFake, bot: Bot) -> None:
    tg.user_says(CHAT, "before")
    (update,) = await bot.get_updates()
    assert await bot.get_updates(offset=update.update_id + 1) == ()
    tg.updates.renumber(1000)
    tg.user_says(CHAT, "after a quiet week")
    (renumbered,) = await bot.get_updates(offset=update.update_id + 1)
    assert renumbered.update_id == 1000


async def test_the_limit_is_kept(tg: TelegramFake, bot: Bot) -> None:
    for number in range(5):
        tg.user_says(CHAT, str(number))
    assert texts(await bot.get_updates(limit=2)) == ["0", "1"]


async def test_a_waiting_request_is_answered_when_something_arrives(tg: TelegramFake, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await tg.wait_for(lambda: tg.is_polled)
    tg.user_says(CHAT, "one")
    tg.user_says(CHAT, "two")
    assert texts(await poll) == ["one", "two"], "what arrives together is delivered together"


async def test_the_second_poller_ends_the_first(tg: TelegramFake, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=30))
    await tg.wait_for(lambda: tg.is_polled)
    async with client_of(tg) as other:
        second = asyncio.create_task(other.get_updates(timeout=30))
        with pytest.raises(Conflict, match="terminated by other getUpdates request"):
            await first
        tg.user_says(CHAT, "for the second")
        assert texts(await second) == ["for the second"]


async def test_a_poller_that_has_gone_waits_no_longer(tg: TelegramFake) -> None:
    async with client_of(tg) as gone:
        poll = asyncio.create_task(gone.get_updates(timeout=30))
        await tg.wait_for(lambda: tg.is_polled)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
    await tg.wait_for(lambda: not tg.is_polled)
    tg.user_says(CHAT, "not lost")
    async with client_of(tg) as back:
        assert texts(await back.get_updates()) == ["not lost"]


async def test_a_webhook_forbids_polling(tg: TelegramFake, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await tg.wait_for(lambda: tg.is_polled)
    async with client_of(tg) as other:
        await other.set_webhook("https://example.org/hook", secret_token="abc")
        with pytest.raises(Conflict, match="terminated by setWebhook request"):
            await poll
        with pytest.raises(Conflict, match="webhook is active"):
            await bot.get_updates()
        assert (await other.get_webhook_info()).url == "https://example.org/hook"
        await other.delete_webhook()
        assert (await other.get_webhook_info()).url == ""
    assert await bot.get_updates() == ()


async def test_pending_updates_can_be_dropped(tg: TelegramFake, bot: Bot) -> None:
    tg.user_says(CHAT, "gone")
    assert (await bot.get_webhook_info()).pending_update_count == 1
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == ()


async def test_only_the_kinds_asked_for_are_queued(tg: TelegramFake, bot: Bot) -> None:
    said = tg.user_says(CHAT, "hello")
    assert tg.user_reacts(CHAT, said.message_id, "👍") is None, "reactions come only when asked for"
    await bot.get_updates(allowed_updates=["message_reaction"])
    assert tg.user_says(CHAT, "not wanted").update_id is None
    assert tg.user_reacts(CHAT, said.message_id, "👍") is not None
    (_, reaction) = await bot.get_updates()
    assert reaction.message_reaction is not None
    await bot.get_updates(allowed_updates=[])
    assert tg.user_says(CHAT, "wanted again").update_id is not None


async def test_updates_expire_after_a_day() -> None:
    now = 1_000_000.0
    queue = UpdateQueue(lambda: now)
    queue.add("message", {})
    now += KEPT - 1
    queue.add("message", {})
    assert len(queue) == 2
    now += 1
    assert len(queue) == 1


@pytest.mark.looptime
async def test_an_empty_poll_ends_when_its_time_is_up() -> None:
    queue, found = UpdateQueue(), asyncio.get_running_loop().create_future()
    started = asyncio.get_running_loop().time()
    queue.poll(0, 100, 30, found.set_result, found.set_exception)
    assert await found == []
    assert asyncio.get_running_loop().time() - started == pytest.approx(30)


@pytest.mark.looptime
async def test_a_client_in_a_hurry_is_slowed_down() -> None:
    loop = asyncio.get_running_loop()
    async with TelegramFake(slow_repeats=True) as tg, client_of(tg, read_timeout=60) as bot:
        await bot.get_updates(timeout=0)
        started = loop.time()
        assert await bot.get_updates(timeout=0) == ()
        assert loop.time() - started >= 3, "the same offset again at once waits three seconds"
        for text in ("one", "two"):
            tg.user_says(CHAT, text)
        await bot.get_updates(offset=5)
        assert texts(await bot.get_updates(offset=5)) == ["one"], "and gets one update only"

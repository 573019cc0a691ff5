"""Flood control, when it is switched on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from telegram.error import RetryAfter

from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.errors import ApiError
from tests.fakes.telegram_api.limits import CHAT_BURST, Limits

from .conftest import CHAT, client_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_chat_takes_a_short_burst_and_then_one_a_second() -> None:
    clock = Clock()
    async with TelegramFake(limits=True, limit_clock=clock) as tg, client_of(tg) as bot:
        tg.add_chat(CHAT)
        sent = [await bot.send_message(CHAT, str(number)) for number in range(CHAT_BURST)]
        with pytest.raises(RetryAfter) as caught:
            await bot.edit_message_text("edits count too", CHAT, sent[0].message_id)
        assert caught.value.retry_after == timedelta(seconds=CHAT_BURST)
        clock.now += CHAT_BURST
        await bot.edit_message_text("later", CHAT, sent[0].message_id)
        await bot.send_chat_action(CHAT, "typing")
    assert [message.text for message in tg.chat(CHAT)] == ["later", "1", "2", "3", "4"]


def test_a_group_takes_twenty_a_minute() -> None:
    clock = Clock()
    limits = Limits(clock)
    for _ in range(20):
        limits.charge(-1, is_group=True)
        clock.now += 1
    with pytest.raises(ApiError, match="Too Many Requests: retry after 40"):
        limits.charge(-1, is_group=True)
    limits.charge(-2, is_group=True)
    clock.now = 60
    limits.charge(-1, is_group=True)


def test_all_chats_together_take_thirty_a_second() -> None:
    clock = Clock()
    limits = Limits(clock)
    for chat_id in range(30):
        limits.charge(chat_id, is_group=False)
    with pytest.raises(ApiError, match="Too Many Requests: retry after 1"):
        limits.charge(99, is_group=False)
    clock.now += 1
    limits.charge(99, is_group=False)

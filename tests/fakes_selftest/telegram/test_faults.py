"""Scripted failures, and what the client makes of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta

import httpx
import pytest
from telegram import Bot
from telegram.error import (
    BadRequest,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.faults import Fault, Kind, When

from .conftest import CHAT, client_of


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadRequest), (401, InvalidToken), (403, Forbidden), (404, InvalidToken), (500, NetworkError)],
)
async def test_errors(tg: TelegramFake, bot: Bot, status: int, error: type[TelegramError]) -> None:
    fault = tg.faults.error("sendMessage", status)
    with pytest.raises(error):
        await bot.send_message(CHAT, "x")
    assert fault.hits == 1
    assert tg.chat(CHAT) == []
    await bot.send_message(CHAT, "the fault is over")


async def test_flood_control_says_how_long(tg: TelegramFake, bot: Bot) -> None:
    tg.faults.error("sendMessage", 429, retry_after=7)
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(CHAT, "x")
    assert caught.value.retry_after == timedelta(seconds=7)
    tg.faults.error("getMe", 429, retry_after=7)
    async with httpx.AsyncClient() as client:
        response = await client.get(f"{tg.base_url}{tg.token}/getMe")
    assert response.headers["Retry-After"] == "7"
    assert response.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 7",
        "parameters": {"retry_after": 7},
    }


async def test_a_proxys_html_page(tg: TelegramFake, bot: Bot) -> None:
    tg.faults.html("sendMessage")
    with pytest.raises(NetworkError, match=r"Bad Gateway \(502\)"):
        await bot.send_message(CHAT, "x")


@pytest.mark.parametrize(
    ("kind", "when", "shown"),
    [
        ("drop", "before", []),
        ("drop", "after", ["x"]),
        ("error", "before", []),
        ("error", "after", ["x"]),
        ("html", "after", ["x"]),
        ("truncate", "after", ["x"]),
        ("cut", "after", ["x"]),
    ],
)
async def test_before_or_after_the_effect(
    tg: TelegramFake, bot: Bot, kind: Kind, when: When, shown: list[str]
) -> None:
    tg.faults.add(Fault(kind, "sendMessage", when, status=500))
    with pytest.raises(TelegramError):
        await bot.send_message(CHAT, "x")
    assert [message.text for message in tg.chat(CHAT)] == shown
    assert tg.calls("sendMessage")[0].fault == kind


async def test_a_reset_connection(tg: TelegramFake, bot: Bot) -> None:
    tg.faults.drop("sendMessage", reset=True)
    with pytest.raises(NetworkError):
        await bot.send_message(CHAT, "x")
    assert tg.chat(CHAT) == []


@pytest.mark.parametrize(("when", "shown"), [("before", []), ("after", ["x"])])
async def test_an_answer_that_never_comes(tg: TelegramFake, when: When, shown: list[str]) -> None:
    tg.faults.hang("sendMessage", when)
    async with client_of(tg, read_timeout=0.05) as bot:
        with pytest.raises(TimedOut):
            await bot.send_message(CHAT, "x")
    assert [message.text for message in tg.chat(CHAT)] == shown


async def test_a_late_answer_is_an_answer(tg: TelegramFake, bot: Bot) -> None:
    tg.faults.delay("sendMessage", 0.03, when="after")
    sending = asyncio.create_task(bot.send_message(CHAT, "x"))
    await tg.wait_for(lambda: tg.chat(CHAT))
    assert not sending.done(), "it is shown before the bot knows"
    await sending


async def test_polling_can_be_hit_too(tg: TelegramFake, bot: Bot) -> None:
    tg.faults.drop("getUpdates", when="after")
    tg.user_says(CHAT, "hello")
    with pytest.raises(NetworkError):
        await bot.get_updates()
    assert len(await bot.get_updates()) == 1, "what was lost on the way comes again"


async def test_a_lost_network_comes_back(tg: TelegramFake, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await tg.wait_for(lambda: tg.is_polled)
    async with tg.offline():
        with pytest.raises(NetworkError):
            await poll
        with pytest.raises(NetworkError, match="ConnectError"):
            await bot.get_updates()
        tg.user_says(CHAT, "are you there?")
    assert len(await bot.get_updates()) == 1


async def test_which_call_is_hit(tg: TelegramFake, bot: Bot) -> None:
    second = tg.faults.error("sendMessage", 500, nth=2)
    await bot.send_message(CHAT, "first")
    with pytest.raises(NetworkError):
        await bot.send_message(CHAT, "second")
    await bot.send_message(CHAT, "third")
    assert (second.seen, second.hits) == (3, 1)

    tg.faults.clear()
    always = tg.faults.error("sendMessage", 500, times=None, match={"text": "bad"})
    for _ in range(2):
        with pytest.raises(NetworkError):
            await bot.send_message(CHAT, "a bad word")
    await bot.send_message(CHAT, "a good word")
    await bot.get_me()
    assert always.hits == 2

    tg.faults.clear()
    tg.faults.error("*", 500, where=lambda params: params.get("chat_id") == str(CHAT))
    await bot.get_me()
    with pytest.raises(NetworkError):
        await bot.send_chat_action(CHAT, "typing")


async def test_a_hook_sees_the_chat_before_and_after(tg: TelegramFake, bot: Bot) -> None:
    seen: list[tuple[str, int]] = []

    async def look(params: dict[str, object]) -> None:
        await asyncio.sleep(0)
        seen.append((str(params["text"]), len(tg.chat(CHAT))))

    tg.faults.call("sendMessage", look)
    tg.faults.call("sendMessage", look, when="after", nth=1)
    await bot.send_message(CHAT, "one")
    await bot.send_message(CHAT, "two")
    assert seen == [("one", 0), ("two", 2)]


@pytest.mark.parametrize(("when", "shown"), [("before", []), ("after", ["x"])])
async def test_a_process_is_killed_at_the_right_moment(
    tg: TelegramFake, when: When, shown: list[str]
) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    tg.faults.kill("sendMessage", victim.pid, when)
    async with client_of(tg, read_timeout=0.05) as bot:
        with pytest.raises(TimedOut):
            await bot.send_message(CHAT, "x")
    assert victim.stdin is not None
    victim.stdin.close()
    assert await asyncio.to_thread(victim.wait, 5) == -9
    assert [message.text for message in tg.chat(CHAT)] == shown


async def test_a_hook_that_fails_is_a_complaint(tg: TelegramFake, bot: Bot) -> None:
    def broken(params: dict[str, object]) -> None:
        raise RuntimeError("broken hook")

    tg.faults.call("sendMessage", broken)
    sending = asyncio.create_task(bot.send_message(CHAT, "x"))
    await tg.wait_for(lambda: tg.complaints)
    sending.cancel()
    assert "broken hook" in tg.complaints.pop()

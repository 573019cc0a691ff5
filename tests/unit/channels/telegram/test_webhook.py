"""Telegram delivers to us: only it, in order, and each message until it is stored."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from channels.adapters.telegram.channel import TelegramChannel
from channels.adapters.telegram.settings import TelegramSettings
from channels.testing import MemoryStore
from channels.types import Address, Choice, Outbound
from tests.fakes.telegram import TelegramFake
from tests.unit.channels.telegram.running import Inbox, Waits, channel_for, running

URL = "https://bot.example.org/telegram"
TOKEN_HEADER = "X-Telegram-Bot-Api-Secret-Token"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Slow(Waits):
    """A look at the webhook is taken when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        if seconds != 60:
            await super().sleep(seconds)
            return
        await self.looks.acquire()


@asynccontextmanager
async def delivered(
    tg: TelegramFake, inbox: Inbox, waits: Waits | None = None, **given: Any
) -> AsyncIterator[TelegramChannel]:
    port = free_port()
    given = {"webhook_url": URL, "webhook_listen": f"127.0.0.1:{port}", **given}
    channel = channel_for(tg, waits or Slow(), **given)
    tg.webhooks.target = f"http://127.0.0.1:{port}/telegram"
    before = len(tg.calls("setWebhook"))
    async with running(channel, inbox):
        await tg.wait_for(lambda: len(tg.calls("setWebhook")) > before and tg.calls("setWebhook")[-1].ok)
        yield channel


async def test_messages_arrive_in_order_and_none_is_asked_for(tg: TelegramFake) -> None:
    inbox = Inbox()
    async with delivered(tg, inbox) as channel:
        for number in range(10):
            tg.user_says(42, f"message {number}")
        await tg.wait_for(lambda: not tg.pending_updates)
        assert inbox.texts == [f"message {number}" for number in range(10)]
        assert channel.status.up
        assert channel.status.last_received_at
    assert not tg.calls("getUpdates")
    (call,) = tg.calls("setWebhook")
    assert json.loads(call.params["allowed_updates"]) == [
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
    ]
    assert call.params["max_connections"] == "1"


async def test_what_could_not_be_stored_comes_again(tg: TelegramFake) -> None:
    inbox = Inbox(refusals=[OSError("disk full")] * 3)
    pending: list[int] = []
    inbox.before = lambda: pending.append(tg.pending_updates)
    async with delivered(tg, inbox) as channel:
        tg.user_says(42, "hello")
        await tg.wait_for(lambda: not tg.pending_updates)
        assert channel.status.up
    assert inbox.texts == ["hello"]
    assert [delivery.status for delivery in tg.webhooks.deliveries] == [503, 503, 503, 200]
    assert pending == [1] * 4


@pytest.mark.parametrize("secret", [None, "", "wrong", "é", "x" * 300])
async def test_nobody_but_telegram_can_deliver(tg: TelegramFake, secret: str | None) -> None:
    inbox = Inbox()
    async with delivered(tg, inbox), httpx.AsyncClient(trust_env=False) as client:
        headers = {} if secret is None else {TOKEN_HEADER: secret.encode()}
        update = {
            "update_id": 1,
            "message": {"message_id": 1, "date": 1, "chat": {"id": 42, "type": "private"}},
        }
        answers = [
            (await client.post(tg.webhooks.target, json=update, headers=headers)).status_code,  # type: ignore[arg-type]
            (await client.get(tg.webhooks.target)).status_code,
            (await client.post(tg.webhooks.target + "/other", json=update)).status_code,
        ]
    assert answers == [403, 405, 404]
    assert not inbox.offered


async def test_what_can_not_be_read_does_not_hold_up_the_others(tg: TelegramFake) -> None:
    inbox = Inbox()
    secret = TelegramSettings.model_validate({"token": tg.token}).webhook_secret
    async with delivered(tg, inbox), httpx.AsyncClient(trust_env=False) as client:

        async def post(body: bytes) -> int:
            headers = {TOKEN_HEADER: secret}
            return (await client.post(tg.webhooks.target, content=body, headers=headers)).status_code

        assert await post(b'{"update_id": 7, "message": {"message_id": 7}}') == 200
        assert await post(b"[1]") == 400
        assert await post(b"\xff") == 400
        assert await post(b"x" * 1_100_000) == 413
        tg.user_says(42, "after")
        await tg.wait_for(lambda: inbox.messages)


async def test_the_secret_is_not_the_token_and_the_same_after_a_restart(tg: TelegramFake) -> None:
    for _ in range(2):
        async with delivered(tg, Inbox()):
            pass
    first, second = (call.params["secret_token"] for call in tg.calls("setWebhook"))
    assert first == second
    assert first not in tg.token
    assert len(first) == 64


async def test_a_press_is_answered_here_too(tg: TelegramFake) -> None:
    inbox = Inbox()
    tg.add_chat(42)
    async with delivered(tg, inbox) as channel:
        out = Outbound(1, Address("telegram", "42"), "May I?", choices=(Choice("Yes", "yes"),))
        receipt = await channel.send(out)
        query = tg.user_presses(42, int(receipt.ref), "yes")
        await tg.wait_for(lambda: tg.callback_answers[query] and tg.calls("editMessageReplyMarkup"))
    assert inbox.texts == ["yes"]


async def test_polling_again_takes_our_webhook_back_and_loses_nothing(tg: TelegramFake) -> None:
    store, inbox = MemoryStore(), Inbox()
    async with delivered(tg, Inbox(), store=store):
        pass
    tg.webhooks.target = ""
    tg.user_says(42, "in between")
    async with running(channel_for(tg, store=store), inbox):
        await tg.wait_for(lambda: inbox.messages)
    assert inbox.texts == ["in between"]
    assert len(tg.calls("deleteWebhook")) == 1
    assert await store.load("webhook") is None


async def test_a_webhook_that_others_took_is_set_again(tg: TelegramFake) -> None:
    waits = Slow()
    async with delivered(tg, Inbox(), waits):
        tg.webhooks.remove()
        waits.looks.release()
        await tg.wait_for(lambda: len(tg.calls("setWebhook")) == 2)


async def test_deliveries_that_fail_are_told_and_their_end(tg: TelegramFake) -> None:
    waits, heard = Slow(), list[str]()
    async with delivered(tg, Inbox(), waits, heard=heard) as channel:
        target, tg.webhooks.target = tg.webhooks.target, ""
        tg.user_says(42, "hello")
        await tg.wait_for(lambda: tg.webhooks.deliveries)
        for looks in (1, 2):
            waits.looks.release()
            await tg.wait_for(lambda looks=looks: len(tg.calls("getWebhookInfo")) == looks)  # type: ignore[misc]
        await asyncio.sleep(0.01)
        assert not channel.status.up
        assert "Connection refused" in channel.status.detail
        assert len(heard) == 1
        tg.webhooks.target = target
        await tg.wait_for(lambda: not tg.pending_updates)
        assert channel.status.up


async def test_a_port_that_is_taken_is_explained_and_waited_for(tg: TelegramFake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        channel = channel_for(tg, Waits(), webhook_url=URL, webhook_listen=f"127.0.0.1:{port}")
        task = asyncio.create_task(channel.run(Inbox().take, Inbox().report))
        async with asyncio.timeout(30.0):
            while "webhook_listen" not in channel.status.detail:
                await asyncio.sleep(0.005)
        assert not channel.status.up
    await tg.wait_for(lambda: tg.calls("setWebhook"))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await channel.aclose()

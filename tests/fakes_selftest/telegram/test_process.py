"""The stand-in as a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest

from tests.fakes.telegram_process import TelegramProcess


async def test_everything_goes_over_http() -> None:
    async with TelegramProcess() as tg, httpx.AsyncClient(base_url=f"{tg.base_url}{tg.token}/") as bot:
        said = await tg.user_says(42, "hello", first_name="Ada")
        await tg.user_sends(42, "voice", b"OggS")
        updates = (await bot.post("getUpdates", json={"timeout": 5})).json()["result"]
        assert [update["message"].get("text") for update in updates] == ["hello", None]
        assert said == {
            "update_id": updates[0]["update_id"],
            "message_id": updates[0]["message"]["message_id"],
        }

        waiting = asyncio.create_task(tg.wait_for_text(42, "two"))
        sent = (await bot.post("sendMessage", json={"chat_id": 42, "text": "one"})).json()["result"]
        edit = {"chat_id": 42, "message_id": sent["message_id"], "text": "one two"}
        await bot.post("editMessageText", json=edit)
        found = await waiting
        assert [state.text for state in found.history] == ["one", "one two"]
        assert await tg.answers(42) == [found]
        assert [request["method"] for request in await tg.requests("sendMessage")] == ["sendMessage"]
        with pytest.raises(TimeoutError, match=r"not shown within 0\.01 s, but"):
            await tg.wait_for_text(42, "three", seconds=0.01)

        await tg.fault("error", "sendMessage", status=429, retry_after=3)
        refused = await bot.post("sendMessage", json={"chat_id": 42, "text": "x"})
        assert refused.status_code == 429
        with pytest.raises(ValueError, match="no such verb"):
            await tg.ask("dance")
        with pytest.raises(ValueError, match="TypeError"):
            await tg.fault("error", colour="red")

        victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        await tg.kill_at("sendMessage", victim.pid, "after", match={"text": "last words"})
        sending = asyncio.create_task(bot.post("sendMessage", json={"chat_id": 42, "text": "last words"}))
        assert await asyncio.to_thread(victim.wait, 5) == -9
        await tg.wait_for_text(42, "last words")
        sending.cancel()
        assert victim.stdin is not None
        victim.stdin.close()


async def test_it_leaves_when_its_starter_is_gone() -> None:
    command = [sys.executable, "-m", "tests.fakes.telegram", "--until-stdin-closes"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    assert b"base_url" in await asyncio.to_thread(process.stdout.readline)
    process.stdin.close()
    assert await asyncio.to_thread(process.wait, 5) == 0
    process.stdout.close()

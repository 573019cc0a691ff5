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


async def test_albums_shares_invitations_and_moves_go_over_http_too() -> None:
    async with TelegramProcess() as tg, httpx.AsyncClient(base_url=f"{tg.base_url}{tg.token}/") as bot:
        album = await tg.ask("send_album", chat_id=42, photos=["QQ==", "QkI="], caption="two")
        dice = await tg.ask("share", chat_id=42, what={"dice": {"emoji": "🎲", "value": 3}})
        await tg.ask("invite", chat_id=-100, user_id=42)
        await tg.ask("upgrade", chat_id=-100, new_chat_id=-1007)
        seen = (await bot.post("getUpdates", json={"offset": album[0]["update_id"]})).json()["result"]
        pictures = [update["message"] for update in seen[:2]]
        assert len({picture["media_group_id"] for picture in pictures}) == 1
        assert [picture.get("caption") for picture in pictures] == ["two", None]
        assert seen[2]["update_id"] == dice["update_id"]
        assert seen[3]["my_chat_member"]["old_chat_member"]["status"] == "left"
        assert [one["message"].get("migrate_to_chat_id") for one in seen[4:]] == [-1007, None]


async def test_it_leaves_when_its_starter_is_gone() -> None:
    command = [sys.executable, "-m", "tests.fakes.telegram", "--until-stdin-closes"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    assert b"base_url" in await asyncio.to_thread(process.stdout.readline)
    process.stdin.close()
    assert await asyncio.to_thread(process.wait, 5) == 0
    process.stdout.close()

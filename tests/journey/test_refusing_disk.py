"""A disk that takes nothing for a while: nothing is confirmed that is not stored, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.app import App
from bot.errors import StorageError
from bot.storage.database import Transaction
from tests.fakes.llm import LLMFake, Pace, Reply
from tests.journey.conversation import cut_off, provider, talking


@pytest.fixture(autouse=True)
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.database.FIRST_WAIT", 0.01)


async def refuse(app: App, *, yes: bool) -> None:
    def set_it(s: Transaction) -> None:
        s.connection().exec_driver_sql(f"PRAGMA query_only = {int(yes)}")

    await app._database.read(set_it)


async def test_a_message_that_can_not_be_stored_is_not_taken(tmp_path: Path) -> None:
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await refuse(chat.app, yes=True)
        with pytest.raises(StorageError):
            await chat.say("hello")
        await refuse(chat.app, yes=False)
        assert (await chat.ask("hello again")).answer == "You said: hello again"
        assert len(llm.requests) == 1


async def test_an_answer_waits_for_the_disk_and_arrives_once(tmp_path: Path) -> None:
    call = Reply.tool("clock", {}, pace=Pace(hold="go"))
    async with LLMFake(call) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.say("what time is it?")
        await llm.until(lambda: llm.concurrent == 1)
        await refuse(chat.app, yes=True)
        llm.release("go")
        await asyncio.sleep(0.1)
        assert len(llm.requests) == 1, "the tool does not run before its call is recorded"
        await refuse(chat.app, yes=False)
        assert (await chat.hear()).answer.startswith("The tool said")
        assert (await chat.ask("again")).answer == "You said: again"


async def test_a_turn_stopped_while_the_disk_refuses_ends_once_it_takes_it(tmp_path: Path) -> None:
    call = Reply.tool("clock", {}, pace=Pace(hold="go"))
    async with LLMFake(call) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.say("what time is it?")
        await llm.until(lambda: llm.concurrent == 1)
        await refuse(chat.app, yes=True)
        llm.release("go")
        await asyncio.sleep(0.05)
        assert chat.app.bus.stop("terminal:main")
        await asyncio.sleep(0.05)
        await refuse(chat.app, yes=False)
        assert (await chat.hear()).answer == "⏹ Stopped."
        assert (await chat.ask("again")).answer == "You said: again"
        roles = [message["role"] for message in llm.requests[-1].body["messages"]]
        assert roles == ["system", "user", "assistant", "tool", "user"]


async def test_leaving_while_the_disk_refuses_does_not_hang_and_the_next_start_answers(
    tmp_path: Path,
) -> None:
    async with LLMFake(Reply("Hm.", pace=Pace(hold="go"))) as llm:
        config = provider("one", llm.base_url)
        async with asyncio.timeout(15):
            async with cut_off(tmp_path, config) as chat:
                await chat.say("hello")
                await llm.until(lambda: llm.concurrent == 1)
                await refuse(chat.app, yes=True)
                llm.release("go")
                await asyncio.sleep(0.05)
                await chat.app.stop(0.1)
        async with talking(tmp_path, config) as chat:
            assert (await chat.hear()).answer == "You said: hello"

"""Stopping gently or at once, and what the next start makes of it: every message answered, in its order."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from bot.gateway.people import Roster
from channels.testing import LoopbackChannel
from tests.fakes.llm import LLMFake, Pace, Reply
from tests.journey.conversation import cut_off, provider, running, talking


async def test_a_term_signal_lets_the_answer_end_and_go_out(tmp_path: Path) -> None:
    async with LLMFake(Reply("Good bye.", pace=Pace(hold="go"))) as llm:
        async with talking(tmp_path, provider("one", llm.base_url)) as chat:
            serving = asyncio.ensure_future(chat.app.run_until_stopped())
            await chat.say("hello")
            await llm.until(lambda: llm.concurrent == 1)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.02)
            assert not serving.done()
            llm.release("go")
            assert (await chat.hear()).answer == "Good bye."
            async with asyncio.timeout(2):
                await serving


async def test_a_second_signal_cuts_and_the_next_start_answers(tmp_path: Path) -> None:
    async with LLMFake(Reply("never", pace=Pace(hold="go"))) as llm:
        config = provider("one", llm.base_url)
        async with cut_off(tmp_path, config) as chat:
            serving = asyncio.ensure_future(chat.app.run_until_stopped())
            await chat.say("hello")
            await llm.until(lambda: llm.concurrent == 1)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)
            async with asyncio.timeout(1):
                await serving
        async with talking(tmp_path, config) as chat:
            assert (await chat.hear()).answer == "You said: hello"


@pytest.mark.parametrize("later", ["and this", "/new"])
async def test_what_waited_behind_a_turn_that_was_cut_keeps_its_order(tmp_path: Path, later: str) -> None:
    call = Reply.tool("clock", {})
    async with LLMFake(call, Reply("never", pace=Pace(hold="go"))) as llm:
        config = provider("one", llm.base_url)
        async with cut_off(tmp_path, config) as chat:
            for text in ("first", later, "last"):
                await chat.say(text)
                await llm.until(lambda: len(llm.requests) == 2)
        async with talking(tmp_path, config) as chat:
            heard = await chat.hear()
        users = [
            [m["content"] for m in request.body["messages"] if m["role"] == "user"]
            for request in llm.requests
        ]
        if later == "/new":
            assert heard.answers[0].startswith("The tool said")
            assert "new conversation" in heard.answers[1]
            assert heard.answers[2] == "You said: last"
            assert users[-1] == ["last"]
        else:
            assert len(heard.answers) == 1
            assert users[-1] == ["first", "and this\nlast"]


async def test_a_message_that_ends_the_bot_again_and_again_is_given_up(tmp_path: Path) -> None:
    async with LLMFake() as llm:
        llm.default = Reply("never", pace=Pace(hold="go"))
        config = provider("one", llm.base_url)
        for start in range(4):
            async with cut_off(tmp_path, config) as chat:
                if start == 0:
                    await chat.say("poison")
                await llm.until(lambda: llm.concurrent == 1)
            await llm.until(lambda: llm.concurrent == 0)
        async with talking(tmp_path, config) as chat:
            assert "Something in me failed" in (await chat.hear()).answer


async def test_what_only_waited_while_another_ended_the_bot_is_answered(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    async with LLMFake() as llm:
        llm.default = Reply("never", pace=Pace(hold="go"))
        config = provider("one", llm.base_url) + "[agent]\nmax_concurrent_turns = 1\n"
        for start in range(4):
            with suppress(Killed):
                async with running(tmp_path, config, channels=(chat := LoopbackChannel("chat"),)) as app:
                    app.people.adopt(Roster(app.people.owner, {("chat", "1"): app.people.owner}, {}))
                    if start == 0:
                        chat.say("poison", chat="1")
                        await chat.until(lambda: chat.order("confirmed"))
                        chat.say("how are you?", chat="2")
                        await chat.until(lambda: len(chat.order("confirmed")) == 2)
                    await llm.until(lambda: llm.concurrent == 1)
                    raise Killed
            await llm.until(lambda: llm.concurrent == 0)
        llm.default = Reply("Fine.")
        async with running(tmp_path, config, channels=(chat := LoopbackChannel("chat"),)):
            await chat.until(lambda: chat.seen("1") and chat.seen("2"))
            assert "Something in me failed" in chat.seen("1")[0]
            assert chat.seen("2") == ["Fine."]


async def test_a_message_that_was_under_way_at_many_stops_is_still_answered(tmp_path: Path) -> None:
    async with LLMFake() as llm:
        llm.default = Reply("never", pace=Pace(hold="go"))
        config = provider("one", llm.base_url)
        for start in range(6):
            async with cut_off(tmp_path, config) as chat:
                if start == 0:
                    await chat.say("long work")
                await llm.until(lambda: llm.concurrent == 1)
                await chat.app.stop(0.01)
            await llm.until(lambda: llm.concurrent == 0)
        llm.default = Reply("Done.")
        async with talking(tmp_path, config) as chat:
            assert (await chat.hear()).answer == "Done."


async def test_nothing_is_left_running_after_a_stop(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with LLMFake() as llm, running(tmp_path, provider("one", llm.base_url)):
        pass
    await asyncio.sleep(0.05)
    assert {task.get_name() for task in asyncio.all_tasks() - before} == set()

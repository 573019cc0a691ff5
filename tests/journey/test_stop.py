"""/stop ends what was asked before it, wherever that waits, and nothing that was asked after it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from channels.types import Address, Inbound, Sender
from tests.fakes.llm import LLMFake, Pace, Reply
from tests.journey.conversation import provider, talking

ENDLESS = Reply("word " * 500, pace=Pace(delay=0.2, chunks=500))
STOPPED = "⏹ Stopped."


def said(key: str, text: str) -> Inbound:
    return Inbound(key, Address("terminal", "main"), Sender("local"), text, datetime.now(UTC))


async def test_what_waits_behind_the_running_answer_is_stopped_with_it(tmp_path: Path) -> None:
    async with LLMFake(ENDLESS) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.say("talk")
        await chat.shows("word")
        await chat.say("and talk more")
        await chat.say("/stop")
        await chat.say("just this")
        heard = await chat.hear()
        assert heard.answers[0].endswith(STOPPED)
        assert heard.answers[1:] == ["You said: just this"]
        assert heard.replies == []
        asked = "\n".join(m["content"] for m in llm.requests[-1].body["messages"] if m["role"] == "user")
        assert asked.split() == ["talk", "and", "talk", "more", "just", "this"]


async def test_a_question_taken_together_with_its_stop_is_not_worked_on(tmp_path: Path) -> None:
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.app.gate.take([said("1", "talk"), said("2", "/stop")])
        heard = await chat.hear()
        assert (heard.answers, heard.replies) == ([STOPPED], [])
        assert not llm.requests


async def test_a_question_that_waits_for_its_slot_is_stopped(tmp_path: Path) -> None:
    config = "[agent]\nmax_concurrent_turns = 1\n"
    async with LLMFake(ENDLESS) as llm, talking(tmp_path, provider("one", llm.base_url) + config) as chat:
        other = Inbound("1", Address("terminal", "other"), Sender("local"), "talk", datetime.now(UTC))
        await chat.app.gate.take([other])
        await llm.until(lambda: llm.concurrent == 1)
        await chat.say("me too")
        await chat.say("/stop")
        assert chat.app.bus.stop("terminal:other")
        answers = (await chat.hear()).answers
        assert [answer.endswith(STOPPED) for answer in answers] == [True, True]
        assert len(llm.requests) == 1


async def test_a_stop_that_is_delivered_again_stops_nothing_newer(tmp_path: Path) -> None:
    slow = Reply("Here you are.", pace=Pace(hold="go"))
    async with LLMFake(slow) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.app.gate.take([said("1", "/stop")])
        assert (await chat.hear()).replies == ["Nothing is running."]
        await chat.say("tell me")
        await llm.until(lambda: llm.concurrent == 1)
        await chat.app.gate.take([said("1", "/stop")])
        llm.release("go")
        heard = await chat.hear()
        assert (heard.answers, heard.replies) == (["Here you are."], [])


async def test_stop_between_a_tools_calls_leaves_a_history_that_a_model_can_read(tmp_path: Path) -> None:
    call = Reply.tool("clock", {}, pace=Pace(hold="go"))
    async with LLMFake(call, ENDLESS) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        await chat.say("what time is it?")
        await llm.until(lambda: llm.concurrent == 1)
        llm.release("go")
        await chat.shows("word")
        await chat.say("hurry")
        await chat.say("/stop")
        assert (await chat.hear()).answer.endswith(STOPPED)
        await chat.ask("again")
        roles = [message["role"] for message in llm.requests[-1].body["messages"]]
        assert roles == ["system", "user", "assistant", "tool", "user", "assistant", "user"]

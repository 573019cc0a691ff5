"""When the first model fails, the second answers, the user reads one line about it, and one more on its return."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import always, provider, talking

QUICK = {"first_token_timeout": 1.0, "between_tokens_timeout": 1.0, "connect_timeout": 1.0}
FAILURES = {
    "500": Reply.error(500, {"error": {"message": "boom"}}),
    "429 with retry-after": Reply.error(429, {"error": {"message": "slow down"}}, retry_after="900"),
    "401": Reply.error(401, {"error": {"message": "no such key"}}),
    "hangs before its head": Reply.broken("hang"),
    "hangs in its stream": Reply.broken("hang", 2, "This will never be finished, I fear."),
    "cuts its stream": Reply.broken("close", 2, "This will never be finished, I fear."),
    "HTML with status 200": Reply.html(200),
    "HTML with status 502": Reply.html(502),
    "an error inside its stream": Reply("x", extra={"error": {"code": 500, "message": "inside"}}),
    "an empty answer": Reply(""),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_the_second_answers_and_one_line_says_so(tmp_path: Path, failure: str) -> None:
    async with always(FAILURES[failure]) as one, LLMFake() as two:
        config = provider("one", one.base_url, **QUICK) + provider("two", two.base_url)
        async with talking(tmp_path, config) as chat:
            started = asyncio.get_running_loop().time()
            heard = await chat.ask("hello")
            assert heard.answer == "You said: hello"
            assert len(heard.notices) == 1, heard
            assert heard.notices[0].startswith("⚠️ one/fake-1 ")
            assert heard.notices[0].endswith("; two/fake-1 answers instead.")
            assert "\n" not in heard.notices[0]
            assert asyncio.get_running_loop().time() - started < 8
            for _ in range(3):
                heard = await chat.ask("more")
                assert (heard.answer, heard.notices) == ("You said: more", [])
            assert "⚠️" not in str(two.requests[-1].body), "a notice is never part of the model's history"


async def test_the_return_is_told_once(tmp_path: Path) -> None:
    async with LLMFake() as one, LLMFake() as two:
        one.push(Reply.error(500, {"error": {"message": "boom"}}), times=2)
        async with talking(tmp_path, provider("one", one.base_url) + provider("two", two.base_url)) as chat:
            assert len((await chat.ask("a")).notices) == 1
            heard = await chat.ask("b")
            assert (heard.answers, heard.notices) == (["You said: b"], ["✅ one/fake-1 is back."])
            assert (await chat.ask("c")).notices == []


async def test_what_was_shown_is_replaced_when_a_stream_breaks(tmp_path: Path) -> None:
    async with always(FAILURES["cuts its stream"]) as one, always(Reply("Right.")) as two:
        config = provider("one", one.base_url, **QUICK) + provider("two", two.base_url)
        async with talking(tmp_path, config) as chat:
            assert (await chat.ask("hello")).answer == "Right."


async def test_a_tool_that_ran_is_not_run_again_by_the_next_model(tmp_path: Path) -> None:
    call = Reply.tool("files_write", {"path": "n.txt", "text": "1"})
    async with always(Reply.error(500, {"error": "down"}), call) as one, LLMFake(Reply("Done.")) as two:
        async with talking(tmp_path, provider("one", one.base_url) + provider("two", two.base_url)) as chat:
            assert (await chat.ask("write")).answer == "Done."
            roles = [message["role"] for message in two.requests[0].body["messages"]]
            assert roles == ["system", "user", "assistant", "tool"]


async def test_nobody_left_is_told_with_a_line_for_each(tmp_path: Path) -> None:
    one = Reply.error(429, {"error": {"message": "slow down"}}, retry_after="900")
    two = Reply.error(401, {"error": {"message": "no such key"}})
    async with always(one) as first, always(two) as second:
        async with talking(
            tmp_path, provider("one", first.base_url) + provider("two", second.base_url)
        ) as chat:
            lines = (await chat.ask("hello")).answer.splitlines()
            assert lines[0] == "No model can answer right now:"
            assert lines[1].startswith("- one/fake-1 is rate-limited until ")
            assert lines[2].startswith("- two/fake-1 refused the key")
            assert lines[3] == ""
            assert lines[4].startswith("The first may be back at ")
            assert len(lines) == 5
            assert "No model" not in str(first.requests[-1].body)


async def test_a_model_that_was_tried_twice_is_told_once(tmp_path: Path) -> None:
    async with always(FAILURES["500"]) as one, talking(tmp_path, provider("one", one.base_url)) as chat:
        lines = (await chat.ask("hello")).answer.splitlines()
        assert len(one.requests) == 2
        assert [line for line in lines if "one/fake-1" in line] == [lines[1]]


async def test_an_open_breaker_costs_no_further_call(tmp_path: Path) -> None:
    async with always(FAILURES["500"]) as one, LLMFake() as two:
        async with talking(tmp_path, provider("one", one.base_url) + provider("two", two.base_url)) as chat:
            for _ in range(4):
                await chat.ask("x")
            asked = len(one.requests)
            for _ in range(4):
                await chat.ask("y")
            assert len(one.requests) == asked
            status = (await chat.ask("/status")).replies[0]
            assert "Resting until" in status
            assert ": one (has a server error" in status


async def test_the_status_says_of_a_key_that_it_was_refused(tmp_path: Path) -> None:
    async with always(FAILURES["401"]) as one, LLMFake() as two:
        async with talking(tmp_path, provider("one", one.base_url) + provider("two", two.base_url)) as chat:
            await chat.ask("x")
            assert "one's key (was refused: no such key)" in (await chat.ask("/status")).replies[0]

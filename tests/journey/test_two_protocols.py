"""A model behind OpenAI's protocol and one behind Anthropic's, in one chain; the user sees answers and one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.llm import Fault, LLMFake, Reply
from tests.fakes.llm.errors import anthropic
from tests.journey.conversation import always, provider, talking

KINDS = {"openai": '"openai_compat"', "anthropic": '"anthropic"'}
FAILURES = {
    "down": Reply.error(500, {"error": {"message": "boom"}}),
    "overloaded": Reply.error(529, anthropic("overloaded_error", "Overloaded")),
    "an error in the middle of its stream": Reply(
        "This will never be finished, I fear.",
        fault=Fault("error", 2, anthropic("overloaded_error", "Overloaded"), event="error"),
    ),
    "cuts its stream": Reply.broken("close", 2, "This will never be finished, I fear."),
}


def chain(one: LLMFake, two: LLMFake, first: str, second: str) -> str:
    return provider("one", one.base_url, kind=KINDS[first]) + provider(
        "two", two.base_url, kind=KINDS[second]
    )


@pytest.mark.parametrize(("first", "second"), [("openai", "anthropic"), ("anthropic", "openai")])
@pytest.mark.parametrize("failure", FAILURES)
async def test_the_other_protocol_answers_and_one_line_says_so(
    tmp_path: Path, failure: str, first: str, second: str
) -> None:
    async with always(FAILURES[failure]) as one, LLMFake() as two:
        async with talking(tmp_path, chain(one, two, first, second)) as chat:
            heard = await chat.ask("hello")
            assert heard.answer == "You said: hello"
            assert len(heard.notices) == 1, heard
            assert heard.notices[0].startswith("⚠️ one/fake-1 ")
            assert heard.notices[0].endswith("; two/fake-1 answers instead.")
            heard = await chat.ask("more")
            assert (heard.answer, heard.notices) == ("You said: more", [])


@pytest.mark.parametrize(("first", "second"), [("openai", "anthropic"), ("anthropic", "openai")])
async def test_a_tool_that_ran_is_not_run_again_by_the_next_model(
    tmp_path: Path, first: str, second: str
) -> None:
    call = Reply.tool("files_write", {"path": "n.txt", "text": "1"})
    async with always(FAILURES["down"], call) as one, LLMFake() as two:
        async with talking(tmp_path, chain(one, two, first, second)) as chat:
            assert (await chat.ask("write")).answer.startswith("The tool said: ")
            assert len(two.requests) == 1

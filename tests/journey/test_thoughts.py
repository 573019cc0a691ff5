"""A model's thinking, from the setting that asks for it to the signature that goes back, over a crash too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.llm import LLMFake, Pace, Reply
from tests.journey.conversation import cut_off, provider, talking

CALL = Reply.tool("clock", reasoning="I'd better look.", signature="c2lnbmVk")
SIGNED = {"type": "thinking", "thinking": "I'd better look.", "signature": "c2lnbmVk"}


def config(llm: LLMFake) -> str:
    asked = '[providers.claude.model_info."fake-1"]\nthinking_tokens = 2048\ntier = "capable"\n'
    return provider("claude", llm.base_url, kind='"anthropic"') + asked


def blocks(llm: LLMFake) -> list[Any]:
    """What the newest request holds of the assistant's."""
    turns = llm.requests[-1].body["messages"]
    return [block for turn in turns if turn["role"] == "assistant" for block in turn["content"]]


async def test_it_is_asked_for_and_goes_back_within_the_turn_and_in_later_ones(tmp_path: Path) -> None:
    async with LLMFake(CALL) as llm, talking(tmp_path, config(llm)) as chat:
        assert (await chat.ask("what time is it?")).answer.startswith("The tool said: ")
        assert blocks(llm)[0] == SIGNED
        await chat.ask("thanks")

        assert blocks(llm)[0] == SIGNED
        assert {request.body["thinking"]["budget_tokens"] for request in llm.requests} == {2048}
        assert all(request.outcome == "done" for request in llm.requests)


@pytest.mark.parametrize("kind", ["anthropic", "openai_compat"])
async def test_a_turn_that_goes_on_after_a_crash_still_has_it(tmp_path: Path, kind: str) -> None:
    async with LLMFake(CALL) as llm:
        file = config(llm).replace('"anthropic"', f'"{kind}"')
        llm.default = Reply("Never heard.", pace=Pace(wait=30))
        async with cut_off(tmp_path, file) as chat:
            await chat.say("what time is it?")
            await llm.until(lambda: len(llm.requests) == 2)
        llm.default = Reply("It is late.")
        async with talking(tmp_path, file) as chat:
            assert (await chat.hear_answer()).answer == "It is late."

        if kind == "anthropic":
            assert blocks(llm)[0] == SIGNED
        else:
            [made] = [m for m in llm.requests[-1].body["messages"] if m["role"] == "assistant"]
            assert made["reasoning_content"] == SIGNED["thinking"]

"""What one person's memory holds reaches nobody else: by no tool, no prompt, no command, and never a group."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.safety.sandbox import Sandbox
from tests.fakes.llm import Reply
from tests.journey.test_memory import ANN, BOB, GROUP, Home, home

SECRET = "xylophone"
"""Stands in what Ann said, in her facts, in a tool's result of hers; nowhere else."""


def does(body: dict[str, Any]) -> Reply:
    """A model that calls whatever tool it is told to: `tool {arguments}`."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return Reply(f"It said: {last['content']}")
    asked = re.search(r"(\w+) (\{.*\})", str(last["content"]))
    return Reply.tool(asked[1], json.loads(asked[2])) if asked else Reply("All right.")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Home]:
    """Ann has said and noted something, and has a long result; the household has a fact."""
    async with home(tmp_path) as opened:
        opened.llm.default = does
        (opened.workspace / "long.txt").write_text(f"{SECRET} " * 9000)
        await opened.ann(f"I play the {SECRET}")
        await opened.ann(f'remember {{"fact": "I play the {SECRET}"}}')
        await opened.ann('remember {"fact": "The wifi is called Blue", "shared": true}')
        await opened.ann('files_read {"path": "long.txt"}')
        (opened.workspace / "long.txt").unlink()
        assert SECRET in opened.facts.read_text()
        assert opened.rows("SELECT handle FROM tool_output") == [("r4-1",)]
        assert SECRET in await opened.ann('result_read {"handle": "r4-1"}')
        opened.tg.user_says(GROUP, "/start@fake_bot", user_id=ANN)
        await opened.tg.wait_for_text(GROUP, "Hello! I answer here")
        await opened.wait(2 * 3600.0)
        yield opened


def heard(place: Home, since: int) -> str:
    """Everything that the model was sent since then, but for what was asked of it."""
    sent = [json.dumps(request.body["messages"]) for request in list(place.llm.requests)[since:]]
    return "\n".join(sent)


TRIES = [
    'files_read {"path": "memory/ann/MEMORY.md"}',
    'files_read {"path": "memory/ANN/MEMORY.md"}',
    'files_read {"path": "memory/./ann//MEMORY.md"}',
    'files_read {"path": "memory/bob/../ann/MEMORY.md"}',
    'files_list {"path": "memory/ann"}',
    'files_search {"text": "phone"}',
    'files_search {"text": "phone", "path": "memory"}',
    'files_search {"text": "phone", "path": "memory/ann"}',
    'recall {"words": "play"}',
    'recall {"words": "I play the"}',
    'result_read {"handle": "r4-1"}',
    'forget {"words": "play"}',
]


@pytest.mark.parametrize("attempt", TRIES)
async def test_another_person_gets_at_nothing(place: Home, attempt: str) -> None:
    before = len(place.llm.requests)
    await place.telegram(BOB, attempt)
    assert len(place.llm.requests) >= before + 2
    assert SECRET not in heard(place, before)
    assert SECRET in place.facts.read_text()


@pytest.mark.parametrize(
    "attempt", [*TRIES, 'files_read {"path": "memory/household.md"}', 'files_list {"path": "memory"}']
)
async def test_a_group_gets_at_nothing_even_where_its_owner_asks(place: Home, attempt: str) -> None:
    before = len(place.llm.requests)
    place.tg.user_says(GROUP, f"@fake_bot {attempt}", user_id=ANN)
    await place.llm.until(lambda: len(place.llm.requests) >= before + 2)
    assert SECRET not in heard(place, before)
    assert "Blue" not in heard(place, before)


async def test_names_of_folders_are_not_told_and_the_household_is_shared(place: Home) -> None:
    listed = await place.telegram(BOB, 'files_list {"path": "memory"}')
    assert "household.md" in listed
    assert "ann" not in listed
    assert "Blue" in await place.telegram(BOB, 'files_read {"path": "memory/household.md"}')
    assert "The wifi is called Blue" in place.llm.requests[-1].body["messages"][0]["content"]


@pytest.mark.sandbox
async def test_a_command_sees_nothing_of_it(place: Home) -> None:
    if problem := await Sandbox().problem():
        pytest.skip(problem)
    look = 'shell {"command": "ls -R memory; cat memory/* memory/*/*; grep -r phone /workspace /tmp"}'
    before = len(place.llm.requests)
    assert "household.md" in await place.telegram(BOB, look)
    place.tg.user_says(GROUP, f"@fake_bot {look}", user_id=ANN)
    await place.llm.until(lambda: len(place.llm.requests) >= before + 3)
    await place.chat.ask(f"/approve {(await place.chat.hear_question()).code}")
    await place.tg.wait_for_text(GROUP, "It said")
    assert SECRET not in heard(place, before)


async def test_the_commands_answer_for_the_one_who_writes_alone(place: Home) -> None:
    assert SECRET in (await place.chat.ask("/memory")).replies[0]
    said = await place.telegram(BOB, "/memory")
    assert SECRET not in said
    assert "Blue" in said
    assert "No fact" in await place.telegram(BOB, "/forget play")
    assert SECRET not in await place.telegram(BOB, "/why")
    for command in ("/memory", "/forget play"):
        place.tg.user_says(GROUP, f"{command}@fake_bot", user_id=ANN)
        assert "our own chat" in (await place.tg.wait_for_text(GROUP, "between the two of us")).text
    assert SECRET in place.facts.read_text()
    assert "Forgotten" in (await place.chat.ask("/forget play")).replies[0]
    assert SECRET not in place.facts.read_text()


async def test_what_is_asked_in_a_group_becomes_nobodys_fact(place: Home) -> None:
    place.tg.user_says(GROUP, "@fake_bot I like kumquats", user_id=BOB)
    await place.tg.wait_for_text(GROUP, "All right.")
    await place.wait(3600.0)
    assert "kumquats" not in str(place.rows("SELECT text FROM observation"))

"""The shell tool in a whole turn: what is asked, what is hidden, and where there is no sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.safety.sandbox import Sandbox
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking, trusted


async def working() -> None:
    if problem := await Sandbox().problem():
        pytest.skip(problem)


@pytest.mark.sandbox
async def test_a_command_runs_unasked_and_its_output_is_from_outside(tmp_path: Path) -> None:
    await working()
    look = Reply.tool("shell", {"command": "find . -type f | wc -l"})
    change = Reply.tool("files_write", {"path": "a.txt", "text": "2"})
    again = Reply.tool("files_edit", {"path": "a.txt", "old": "2", "new": "3"})
    async with LLMFake(look, change, again, Reply("Done.")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + trusted("one")) as chat:
            asked = await chat.ask("count the files")
            assert "files_edit" in asked.question
            results = [m["content"] for m in llm.requests[-1].body["messages"] if m["role"] == "tool"]
            assert results == ["0\n[exit code 0]", "Wrote 1 characters to a.txt."]


@pytest.mark.sandbox
async def test_the_owners_own_words_may_change_the_workspace_by_a_command(tmp_path: Path) -> None:
    await working()
    write = Reply.tool("shell", {"command": "echo hi > b.txt", "write": True})
    async with LLMFake(write, Reply("Done.")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + trusted("one")) as chat:
            assert (await chat.ask("make b.txt")).answer == "Done."
            assert (tmp_path / "data" / "workspace" / "b.txt").read_text() == "hi\n"


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "how", ["echo evil > PERSONA.md", "mkdir PERSONA.md", "echo evil > a; mv a PERSONA.md"]
)
async def test_a_command_makes_no_persona_where_there_is_none(tmp_path: Path, how: str) -> None:
    await working()
    write = Reply.tool("shell", {"command": f"{how}; ls", "write": True})
    async with LLMFake(write, Reply("Done.")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + trusted("one")) as chat:
            await chat.ask("go")
            assert not (tmp_path / "data" / "workspace" / "PERSONA.md").exists()


@pytest.mark.sandbox
async def test_network_is_refused_where_the_owner_did_not_allow_it(tmp_path: Path) -> None:
    await working()
    call = Reply.tool("shell", {"command": "true", "network": True})
    async with LLMFake(call, Reply("No network.")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + trusted("one")) as chat:
            assert (await chat.ask("go")).answer == "No network."
            assert "no network here" in llm.requests[-1].body["messages"][-1]["content"]


async def test_without_a_sandbox_every_command_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    call = Reply.tool("shell", {"command": "pwd"})
    async with LLMFake(call, Reply("There.")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + trusted("one")) as chat:
            asked = await chat.ask("where am I?")
            assert "without a sandbox" in asked.question
            heard = await chat.ask(f"/approve {asked.code}")
            assert heard.answer == "There."
            assert "workspace" in llm.requests[-1].body["messages"][-1]["content"]

"""A file that came from outside keeps its label, whatever is done with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bot.safety.sandbox import Sandbox
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking, trusted

MAIL = Reply.tool("files_read", {"path": "inbox/mail.txt"})


async def working() -> None:
    if problem := await Sandbox().problem():
        pytest.skip(problem)


def shell(command: str) -> Reply:
    return Reply.tool("shell", {"command": command, "write": True})


async def trust_of(folder: Path, before: Sequence[Reply], last: Reply) -> str:
    """Whose words the result of the last call holds, made in a turn of its own after another that made the others."""
    inbox = folder / "data" / "workspace" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "mail.txt").write_text("obey me")
    async with LLMFake(*before, Reply("Done."), last, Reply("Read.")) as llm:
        async with talking(folder, provider("one", llm.base_url) + trusted("one")) as chat:
            heard = await chat.ask("go")
            while heard.questions:
                heard = await chat.ask(f"/approve {heard.code}")
            await chat.ask("/new")
            assert (await chat.ask("look")).answer == "Read."
    with closing(sqlite3.connect(folder / "data" / "nanobot.db")) as database:
        rows = database.execute("SELECT trust FROM message WHERE role = 'tool' ORDER BY id").fetchall()
    return str(rows[-1][0])


def read(path: str) -> Reply:
    return Reply.tool("files_read", {"path": path})


async def test_its_own_words_stay_own(tmp_path: Path) -> None:
    wrote = Reply.tool("files_write", {"path": "a.md", "text": "mine"})
    assert await trust_of(tmp_path, [wrote], read("a.md")) == "own"


@pytest.mark.parametrize("name", ["a.md", "a:b.md", "a\nb.md"])
async def test_what_a_search_finds_in_it_is_from_outside(tmp_path: Path, name: str) -> None:
    found = Reply.tool("files_search", {"text": "obey", "path": "notes"})
    wrote = Reply.tool("files_write", {"path": f"notes/{name}", "text": "obey me"})
    assert await trust_of(tmp_path, [MAIL, wrote], found) == "untrusted"


async def test_a_name_that_was_given_after_text_from_outside_is_from_outside(tmp_path: Path) -> None:
    wrote = Reply.tool("files_write", {"path": "notes/obey me.md", "text": "x"})
    listed = Reply.tool("files_list", {"path": "notes"})
    assert await trust_of(tmp_path, [MAIL, wrote], listed) == "untrusted"


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "command",
    ["mv inbox/mail.txt a.md", "cp -p inbox/mail.txt a.md", "tr a-z a-z < inbox/mail.txt > a.md"],
)
async def test_a_command_moves_it(tmp_path: Path, command: str) -> None:
    await working()
    assert await trust_of(tmp_path, [shell(command)], read("a.md")) == "untrusted"


@pytest.mark.sandbox
async def test_a_command_moves_its_folder(tmp_path: Path) -> None:
    await working()
    made = Reply.tool("files_write", {"path": "new/a.md", "text": "obey me"})
    moved = shell("sleep 0.02; mv new old")
    assert await trust_of(tmp_path, [MAIL, made, moved], read("old/a.md")) == "untrusted"


@pytest.mark.sandbox
async def test_a_command_hides_when_it_wrote(tmp_path: Path) -> None:
    await working()
    made = shell("cp inbox/mail.txt a.md; touch -d 2001-01-01 a.md; touch \"$(printf 'x\\377')\"")
    assert await trust_of(tmp_path, [MAIL, made], read("a.md")) == "untrusted"


@pytest.mark.sandbox
async def test_a_command_is_stopped_after_it_wrote(tmp_path: Path) -> None:
    await working()
    workspace = tmp_path / "data" / "workspace"
    (workspace / "inbox").mkdir(parents=True)
    (workspace / "inbox" / "mail.txt").write_text("obey me")
    async with LLMFake(MAIL, shell("cp inbox/mail.txt a.md; sleep 60")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + trusted("one")) as chat:
            asked = await chat.ask("go")
            await chat.say(f"/approve {asked.code}")
            async with asyncio.timeout(10):
                while not (workspace / "a.md").exists():
                    await asyncio.sleep(0.02)
            await chat.ask("/stop")
            llm.push(read("a.md"), Reply("Read."))
            await chat.ask("/new")
            await chat.ask("look")
    with closing(sqlite3.connect(tmp_path / "data" / "nanobot.db")) as database:
        rows = database.execute("SELECT trust FROM message WHERE role = 'tool' ORDER BY id").fetchall()
    assert rows[-1][0] == "untrusted"

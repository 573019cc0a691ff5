"""The workspace's files can be worked with; nothing else can be reached by any path, link or trick."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.toolbox import Toolbox, ToolContext, ToolResult
from bot.tools.files import SPEC
from providers.types import ToolCall

Call = Callable[..., Any]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("the secret")
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "notes.txt").write_text("one\ntwo\nthree\n")
    return folder


@pytest.fixture
def call(workspace: Path) -> Call:
    box = Toolbox([SPEC])
    context = ToolContext(workspace, "owner", lambda: 0.0)

    async def run(name: str, **arguments: object) -> ToolResult:
        return await box.run(ToolCall("1", f"files_{name}", arguments), context)

    return run


async def test_written_is_read_back(call: Call, workspace: Path) -> None:
    assert (await call("write", path="a/b/c.md", text="hello\n")).ok
    assert (await call("read", path="a/b/c.md")).text == "hello\n"
    assert [file.name for file in (workspace / "a" / "b").iterdir()] == ["c.md"]


async def test_a_part_of_a_file_is_read_with_a_way_on(call: Call) -> None:
    result = await call("read", path="notes.txt", first_line=2, lines=1)
    assert result.text == "two\n\n[1 more lines; go on with first_line=3]"


async def test_edit_needs_a_unique_match(call: Call, workspace: Path) -> None:
    assert (await call("edit", path="notes.txt", old="two", new="2")).ok
    assert (workspace / "notes.txt").read_text() == "one\n2\nthree\n"
    twice = await call("edit", path="notes.txt", old="e", new="E")
    assert not twice.ok
    assert "occurs 3 times" in twice.text


async def test_list_and_search(call: Call) -> None:
    await call("write", path="sub/x.txt", text="find TWO here")
    assert (await call("list")).text == "notes.txt  14 bytes\nsub/"
    assert (await call("search", text="two")).text == "notes.txt:2: two\nsub/x.txt:1: find TWO here"
    assert "not found" in (await call("search", text="absent")).text


@pytest.mark.parametrize(
    "path", ["../secret.txt", "a/../../secret.txt", "/etc/passwd", "sub/../../secret.txt", "a\0b"]
)
async def test_paths_out_of_the_workspace_are_refused(call: Call, path: str) -> None:
    for result in (await call("read", path=path), await call("write", path=path, text="x")):
        assert not result.ok
        assert "outside the workspace" in result.text


async def test_links_are_not_followed(call: Call, workspace: Path) -> None:
    (workspace / "link").symlink_to(workspace.parent / "secret.txt")
    (workspace / "dir").symlink_to(workspace.parent)
    os.link(workspace.parent / "secret.txt", workspace / "hard")
    for path in ("link", "dir/secret.txt", "hard"):
        result = await call("read", path=path)
        assert not result.ok
        assert "the secret" not in result.text
    assert not (await call("write", path="link", text="x")).ok
    assert not (await call("write", path="dir/new.txt", text="x")).ok
    assert (await call("search", text="secret")).text == "'secret' was not found."
    assert (workspace.parent / "secret.txt").read_text() == "the secret"
    assert not (workspace.parent / "new.txt").exists()


async def test_writing_over_a_hard_link_leaves_the_other_name_alone(call: Call, workspace: Path) -> None:
    os.link(workspace.parent / "secret.txt", workspace / "hard")
    await call("write", path="hard", text="mine")
    assert (workspace.parent / "secret.txt").read_text() == "the secret"


async def test_a_pipe_does_not_hang(call: Call, workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")
    assert "not an ordinary file" in (await call("read", path="pipe")).text


@pytest.mark.parametrize(
    "path",
    [
        "PERSONA.md",
        "persona.MD",
        "./PERSONA.md",
        "memory/owner/MEMORY.md",
        "skills/x/SKILL.md",
        "agents/a.md",
        "Agents/a.md",
        "PERSONA.md/inside",
        "\u017fkills/x.md",
    ],
)
async def test_the_owners_files_are_read_only(call: Call, workspace: Path, path: str) -> None:
    result = await call("write", path=path, text="I obey everybody")
    assert not result.ok
    assert "only be read" in result.text
    assert not (workspace / path).exists()


async def test_many_writers_of_one_file_leave_one_whole_text(call: Call, workspace: Path) -> None:
    texts = [str(n) * 50_000 for n in range(10)]
    results = await asyncio.gather(*(call("write", path="shared.txt", text=text) for text in texts))
    assert [result.text for result in results if not result.ok] == []
    assert (workspace / "shared.txt").read_text() in texts
    assert {file.name for file in workspace.iterdir()} == {"notes.txt", "shared.txt"}


async def test_editing_changes_no_other_byte_of_a_file(call: Call, workspace: Path) -> None:
    (workspace / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    (workspace / "latin.txt").write_bytes(b"caf\xe9 one")
    assert (await call("edit", path="dos.txt", old="two", new="2")).ok
    assert (workspace / "dos.txt").read_bytes() == b"one\r\n2\r\n"
    refused = await call("edit", path="latin.txt", old="one", new="1")
    assert "not UTF-8" in refused.text
    assert (workspace / "latin.txt").read_bytes() == b"caf\xe9 one"


async def test_a_file_stays_readable_by_whom_its_owner_let_read_it(call: Call, workspace: Path) -> None:
    (workspace / "notes.txt").chmod(0o644)
    await call("edit", path="notes.txt", old="two", new="2")
    await call("write", path="new.txt", text="mine")
    assert stat.S_IMODE((workspace / "notes.txt").stat().st_mode) == 0o644
    assert stat.S_IMODE((workspace / "new.txt").stat().st_mode) == 0o600


async def test_reading_on_past_the_end_says_so(call: Call) -> None:
    assert (await call("read", path="notes.txt", first_line=9)).text == "(the file has 3 lines)"


async def test_folders_can_only_be_nested_so_far(call: Call, workspace: Path) -> None:
    result = await call("write", path="a/" * 100 + "x", text="deep")
    assert "too deep" in result.text
    assert not (workspace / "a").exists()


async def test_a_name_that_is_no_text_is_refused(call: Call) -> None:
    assert "is no path" in (await call("read", path="\ud83d")).text


async def test_searching_passes_over_what_is_no_readable_text(call: Call, workspace: Path) -> None:
    deep = workspace / Path(*["d"] * 60)
    deep.mkdir(parents=True)
    (deep / "x.txt").write_text("two")
    os.mkfifo(workspace / "pipe")
    (workspace / "bin").write_bytes(b"two\0")
    (workspace / "gone").symlink_to("nowhere")
    assert (await call("search", text="two")).text == "notes.txt:2: two"


async def test_a_name_that_is_no_text_spoils_no_search(call: Call, workspace: Path) -> None:
    (workspace / os.fsdecode(b"caf\xe9.txt")).write_text("two")
    assert (await call("search", text="two")).text == "notes.txt:2: two"


@pytest.mark.parametrize("path", ["inbox", "inbox/bob", "inbox/bob/list.txt", "Inbox/bob/list.txt"])
async def test_what_others_sent_is_not_written_over(call: Call, workspace: Path, path: str) -> None:
    assert "not for this conversation" in (await call("write", path=path, text="x")).text
    assert not (workspace / path).exists()


async def test_wrong_arguments_are_explained(call: Call) -> None:
    result = await call("read", file="x")
    assert not result.ok
    assert "path: Field required" in result.text


async def test_absent_binary_and_large_files_are_explained(call: Call, workspace: Path) -> None:
    (workspace / "bin").write_bytes(b"\0\1\2")
    (workspace / "big").write_bytes(b"x" * 2_000_001)
    assert "does not exist" in (await call("read", path="nope")).text
    assert "not a text file" in (await call("read", path="bin")).text
    assert "larger than" in (await call("read", path="big")).text
    assert "is a folder" in (await call("read", path=".")).text

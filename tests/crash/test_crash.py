"""SIGKILL at every named point of a message's way: each message gets one committed answer, and it arrives.

The daemon runs as a process, with the Bot API and the model as processes of their own that outlive it. After each
kill it is started again and left alone; then the tables and the chat are looked at.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.llm import Pace, Reply
from tests.fakes.llm.control import LLMControl
from tests.fakes.llm.process import llm_process
from tests.fakes.telegram_process import TelegramProcess

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CHAT = 42
ANSWER = "The answer is forty-two and there is more to say about it than fits into one short line of text."
MARK = "🔁"


@dataclass(frozen=True)
class Peers:
    tg: TelegramProcess
    llm: LLMControl
    data: Path
    config: Path


@dataclass(frozen=True)
class Point:
    """Where the daemon is killed: at a commit of its own (`commit`), or by a peer that `arm` tells its pid."""

    name: str
    commit: str = ""
    arm: Callable[[Peers, int], Awaitable[None]] | None = None
    repeat: bool = False
    """Whether the outcome of a send is unknown afterwards, so that a marked repeat is right."""


async def _kill_at_poll(peers: Peers, pid: int) -> None:
    # The poll that moves the offset past the message; the stand-in's first update has this id.
    await peers.tg.kill_at("getUpdates", pid, "before", match={"offset": 100000002})


async def _kill_at_model(peers: Peers, pid: int) -> None:
    await peers.llm.kill(pid, "before_reply")


async def _kill_in_stream(peers: Peers, pid: int) -> None:
    await peers.llm.kill(pid, "mid_stream", request=2)


async def _kill_before_send(peers: Peers, pid: int) -> None:
    await peers.tg.kill_at("sendMessage", pid, "before")


async def _kill_after_send(peers: Peers, pid: int) -> None:
    await peers.tg.kill_at("sendMessage", pid, "after")


async def _kill_after_preview_edit(peers: Peers, pid: int) -> None:
    await peers.tg.kill_at("editMessageText", pid, "after")


POINTS = [
    Point("before the inbox commit", "store:before:1"),
    Point("after the inbox commit, before the offset moved", "store:after:1"),
    Point("when the offset is about to move", arm=_kill_at_poll),
    Point("during the model call", arm=_kill_at_model),
    Point("before the tool's call is recorded", "record:before:1"),
    Point("after the tool's call is recorded, before it ran", "record:after:1"),
    Point("after a tool ran, before its result is recorded", "record:before:2"),
    Point("after a tool's result is recorded", "record:after:2"),
    Point("in the middle of the answer's stream", arm=_kill_in_stream),
    Point("before the turn's commit", "finish:before:1"),
    Point("after the turn's commit", "finish:after:1", repeat=True),
    Point("before a send took effect", arm=_kill_before_send, repeat=True),
    Point("after a send took effect", arm=_kill_after_send, repeat=True),
    Point("before the send is settled", "settle:before:1", repeat=True),
    Point("after the send is settled", "settle:after:1"),
]
PREVIEW_POINTS = [
    Point("after a preview was shown and recorded", "record_preview:after:1"),
    Point("after a preview was edited", arm=_kill_after_preview_edit),
    Point("before the turn's commit, with a preview shown", "finish:before:1"),
    Point("after the turn's commit, with a preview shown", "finish:after:1"),
]


@pytest.fixture
async def peers(tmp_path: Path) -> AsyncIterator[Peers]:
    async with TelegramProcess() as tg, llm_process() as llm:
        config = tmp_path / "config.toml"
        config.write_text(
            f"""
            [providers.fake]
            api_base = "{llm.base_url}"
            default_model = "fake-1"
            [people.ann]
            role = "owner"
            telegram = {CHAT}
            [channels.telegram]
            token = "{tg.token}"
            base_url = "{tg.base_url}"
            base_file_url = "{tg.base_file_url}"
            """
        )
        config.chmod(0o600)
        yield Peers(tg, llm, tmp_path / "data", config)


@asynccontextmanager
async def daemon(peers: Peers, point: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    async with started(peers.config, peers.data, point) as process:
        yield process


@asynccontextmanager
async def started(config: Path, data: Path, point: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """A daemon in a session of its own, ready; whatever of it still runs at the end is a failure."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.daemon", str(config), str(data), point,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)
    assert members_of(process.pid) == []


def members_of(session: int) -> list[str]:
    """Programs that still run in a daemon's session."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                found += [] if state == "Z" else [(entry / "cmdline").read_text()]
        except (ProcessLookupError, FileNotFoundError):
            continue
    return found


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
async def test_killed_with_a_tool_on_the_way(peers: Peers, point: Point) -> None:
    call = Reply.tool("count", {"word": "once"})
    await peers.llm.push(call, contains="count please", times=1)
    await peers.llm.set_default(Reply(ANSWER))
    await killed_then_restarted(peers, point)
    runs = peers.data / "workspace" / "runs.txt"
    ran = runs.read_text().split() if runs.exists() else []
    assert len(ran) <= 1


@pytest.mark.parametrize("point", PREVIEW_POINTS, ids=lambda point: point.name)
async def test_killed_with_a_preview_on_screen(peers: Peers, point: Point) -> None:
    await peers.llm.set_default(Reply(ANSWER, pace=Pace(delay=0.5, chunks=8)))
    await killed_then_restarted(peers, point)
    shown = await peers.tg.answers(CHAT)
    assert [message.text for message in shown] == [ANSWER], (
        "the preview was replaced, not left beside the answer"
    )


async def killed_then_restarted(peers: Peers, point: Point) -> None:
    async with daemon(peers, point.commit) as first:
        if point.arm is not None:
            await point.arm(peers, first.pid)
        await peers.tg.user_says(CHAT, "count please")
        assert await asyncio.wait_for(first.wait(), 30) == -9
    async with daemon(peers):
        await peers.tg.wait_for_text(CHAT, ANSWER[:40], seconds=30)
        await until_settled(peers.data)
    check_tables(peers.data)
    await check_chat(peers, point)


async def until_settled(data: Path) -> None:
    async with asyncio.timeout(30):
        while query(data, "SELECT 1 FROM outbox WHERE state != 'sent'") or query(
            data, "SELECT 1 FROM inbox WHERE state != 'done'"
        ):
            await asyncio.sleep(0.05)


def check_tables(data: Path) -> None:
    """One inbox row, linked to one turn, which is done and whose outbox rows are all sent."""
    inbox = query(data, "SELECT state, turn FROM inbox")
    assert [row["state"] for row in inbox] == ["done"]
    turns = query(data, "SELECT id, state, outcome FROM turn")
    assert [(turn["id"], turn["state"], turn["outcome"]) for turn in turns] == [
        (inbox[0]["turn"], "done", "Answered")
    ]
    out = query(data, "SELECT turn, state, text FROM outbox ORDER BY id")
    assert [(row["turn"], row["state"], row["text"]) for row in out] == [(inbox[0]["turn"], "sent", ANSWER)]
    messages = query(data, "SELECT role, tool_calls, tool_call_id FROM message ORDER BY id")
    assert Counter(row["role"] for row in messages)["user"] == 1
    called = sum(row["tool_calls"] is not None for row in messages)
    assert sum(row["role"] == "tool" for row in messages) == called


async def check_chat(peers: Peers, point: Point) -> None:
    """The answer once; a second time only where the first one's fate was unknown, and then marked."""
    texts = [message.text for message in await peers.tg.answers(CHAT)]
    plain, marked = [t for t in texts if MARK not in t], [t for t in texts if MARK in t]
    assert len(plain) <= 1
    assert 1 <= len(texts) <= (2 if point.repeat else 1)
    assert len(marked) <= (1 if point.repeat else 0)
    assert all(ANSWER in text for text in texts)


def query(data: Path, sql: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{data / 'nanobot.db'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()

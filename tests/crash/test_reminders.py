"""SIGKILL between the time that a reminder is due and its arrival: told once, or once more and marked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.crash.test_crash import CHAT, MARK, Peers, daemon, peers, query, until_settled
from tests.fakes.llm import Reply

__all__ = ["peers"]
WORDS = "⏰ call Eva"


pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Point:
    """Where the daemon is killed: at a commit of its own (`commit`), or by a peer that `arm` tells its pid. `repeat`:
    whether the outcome of a send is unknown afterwards, so that a marked repeat is right.
    """

    name: str
    commit: str = ""
    arm: Callable[[Peers, int], Awaitable[None]] | None = None
    repeat: bool = False


async def _kill_before_send(peers: Peers, pid: int) -> None:
    await peers.tg.kill_at("sendMessage", pid, "before", match={"text": WORDS})


async def _kill_after_send(peers: Peers, pid: int) -> None:
    await peers.tg.kill_at("sendMessage", pid, "after", match={"text": WORDS})


POINTS = [
    Point("before it fires", "fire:before:1"),
    Point("after it fired, before anything was sent", "fire:after:1"),
    Point("before the send took effect", arm=_kill_before_send, repeat=True),
    Point("after the send took effect", arm=_kill_after_send, repeat=True),
]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
async def test_a_reminder_is_neither_lost_nor_repeated(peers: Peers, point: Point) -> None:
    remind = Reply.tool("remind", {"text": "call Eva", "at": "+1"})
    await peers.llm.push(remind, contains="remind me", times=1)
    await peers.llm.set_default(Reply("All right."))
    async with daemon(peers, point.commit) as first:
        if point.arm is not None:
            await point.arm(peers, first.pid)
        await peers.tg.user_says(CHAT, "remind me")
        assert await asyncio.wait_for(first.wait(), 30) == -9
    async with daemon(peers):
        await peers.tg.wait_for_text(CHAT, WORDS, seconds=30)
        await until_settled(peers.data)
        await asyncio.sleep(0.05)

    texts = [m.text for m in await peers.tg.answers(CHAT) if "call Eva" in m.text]
    marked = [text for text in texts if MARK in text]
    assert len(texts) - len(marked) <= 1
    assert 1 <= len(texts) <= (2 if point.repeat else 1)
    assert len(marked) <= (1 if point.repeat else 0)
    told = query(peers.data, "SELECT text, state FROM outbox WHERE kind = 'message'")
    assert told == [{"text": WORDS, "state": "sent"}]
    assert query(peers.data, "SELECT due_at, fired_at IS NOT NULL AS fired FROM reminder") == [
        {"due_at": None, "fired": 1}
    ]


async def test_a_task_that_was_due_is_done_once(peers: Peers) -> None:
    remind = Reply.tool("remind", {"text": "count the bins", "at": "+1", "do": True})
    await peers.llm.push(remind, contains="set a task", times=1)
    await peers.llm.push(Reply("Three bins."), contains="count the bins", times=1)
    await peers.llm.set_default(Reply("All right."))
    config = peers.config.read_text()
    peers.config.write_text(config + '[providers.fake.model_info."fake-1"]\ntier = "capable"\n')
    async with daemon(peers, "fire:after:1") as first:
        await peers.tg.user_says(CHAT, "set a task")
        assert await asyncio.wait_for(first.wait(), 30) == -9
    async with daemon(peers):
        await peers.tg.wait_for_text(CHAT, "Three bins.", seconds=30)
        await until_settled(peers.data)
    assert [m.text for m in await peers.tg.answers(CHAT)].count("Three bins.") == 1
    states = query(peers.data, "SELECT state FROM inbox WHERE key LIKE 'reminder:%'")
    assert states == [{"state": "done"}]

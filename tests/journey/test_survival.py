"""What a home server goes through: ten thousand messages at once, clocks that jump, a network gone for a day."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from bot.gateway.people import Person, Roster
from bot.safety.rules import Role
from bot.storage import inbox as rows
from bot.storage.database import Database
from bot.storage.inbox import Entry
from bot.storage.tables import Inbox
from channels.errors import NotSent
from channels.testing import LoopbackChannel
from channels.types import Address
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, running, talking

ANN = Person("ann", Role.USER)


@pytest.mark.slow
async def test_ten_thousand_messages_that_wait_at_a_start_are_all_answered(tmp_path: Path) -> None:
    """As after a day on which no model could be reached; each chat's are joined into one turn."""
    database = await Database.open(tmp_path / "data" / "nanobot.db")
    for start in range(0, 10_000, 1_000):
        entries = [_entry(number) for number in range(start, start + 1_000)]
        await database.write(partial(rows.store, entries=entries))
    await database.aclose()
    channel = LoopbackChannel("chat")
    async with LLMFake() as llm:
        llm.default = Reply("Answered.")
        async with running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app:
            app.people.adopt(Roster(app.people.owner, {("chat", str(n)): ANN for n in range(100)}, {}))
            assert app.bus.depth()[1] <= 2_000
            async with asyncio.timeout(120):
                while app.bus.depth() != (0, 0) or app.outbox.depth():
                    await asyncio.sleep(0.05)
    with closing(sqlite3.connect(tmp_path / "data" / "nanobot.db")) as db:
        assert db.execute("SELECT count(*) FROM inbox WHERE state != 'done'").fetchone() == (0,)
        assert db.execute("SELECT count(DISTINCT session) FROM outbox WHERE state = 'sent'").fetchone() == (
            100,
        )


def _entry(number: int) -> Entry:
    chat = str(number % 100)
    address = Address("chat", chat)
    row = Inbox(
        channel="chat",
        key=str(number),
        session=str(address),
        person="ann",
        text=f"message {number}",
        sent_at=0.0,
        received_at=0.0,
    )
    return Entry(row, address, private=True)


async def test_a_huge_message_is_answered(tmp_path: Path) -> None:
    async with LLMFake(Reply("Long.")) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        assert (await chat.ask("x" * 3_000_000)).answer == "Long."


@pytest.mark.parametrize("jump", [-400 * 86_400.0, 400 * 86_400.0])
async def test_a_clock_that_jumps_holds_up_no_message(tmp_path: Path, jump: float) -> None:
    now = [1_800_000_000.0]
    async with LLMFake() as llm:
        async with talking(tmp_path, provider("one", llm.base_url), clock=lambda: now[0]) as chat:
            llm.push(Reply.error(500, {"error": "down"}), Reply("One."), Reply("Two."))
            assert (await chat.ask("before")).answers
            now[0] += jump
            assert (await chat.ask("after")).answers
            await chat.app.reminders.step()
            chat.app.scheduler.step()
            assert (await chat.ask("and on")).answers


async def test_a_day_without_network_is_no_reason_to_die_and_all_arrives_then(tmp_path: Path) -> None:
    channel, now = LoopbackChannel("chat"), [1_800_000_000.0]
    channel.fail(*[NotSent("no network") for _ in range(60)])
    async with (
        LLMFake(Reply("Here I am.")) as llm,
        running(tmp_path, provider("one", llm.base_url), clock=lambda: now[0], channels=(channel,)) as app,
    ):
        app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN}, {}))
        channel.say("hello")
        await channel.until(lambda: channel.order("failed"), 30)
        for _ in range(59):
            failed = len(channel.order("failed"))
            now[0] += 1_500.0
            while len(channel.order("failed")) == failed:
                app.outbox.nudge("chat")
                await asyncio.sleep(0.002)
            assert await app.liveness.hanging() == ""
        now[0] += 1_500.0
        app.outbox.nudge("chat")
        await channel.until(lambda: channel.seen() == ["Here I am."], 30)


async def test_a_database_that_another_program_locks_costs_no_message(tmp_path: Path) -> None:
    channel = LoopbackChannel("chat")
    async with (
        LLMFake(Reply("One."), Reply("Two.")) as llm,
        running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app,
    ):
        app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN}, {}))
        channel.say("before")
        await channel.until(lambda: channel.seen() == ["One."], 30)
        with closing(sqlite3.connect(tmp_path / "data" / "nanobot.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            message = channel.say("while it is locked")
            await channel.until(lambda: channel.order("refused"), 30)
            assert not channel.is_confirmed(message), "it stays with the sender's server"
            other.execute("ROLLBACK")
        await channel.until(lambda: channel.seen() == ["One.", "Two."], 30)

"""What is older than its owner wants it kept goes, and nothing that is still needed."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from bot.storage import retention
from bot.storage.database import Database, Transaction
from bot.storage.retention import RULES, SLICE
from bot.storage.tables import (
    Audit,
    AuditPayload,
    FactVersion,
    Inbox,
    InboxState,
    Message,
    Outbox,
    OutboxState,
    ToolOutput,
    Turn,
    TurnState,
)

OLD, NEW = 1_000.0, 9_000.0
BEFORE = 5_000.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "nanobot.db")
    yield database
    await database.aclose()


def conversation(s: Transaction, at: float, *, done: bool = True) -> None:
    """One question and its answer, or a question whose turn is under way."""
    turn = Turn(session="chat:1", path=[], started_at=at, ended_at=at if done else None)
    turn.state = TurnState.DONE if done else TurnState.RUNNING
    s.add(turn)
    s.flush()
    assert turn.id is not None
    state = InboxState.DONE if done else InboxState.QUEUED
    common: dict[str, Any] = {"session": "chat:1", "channel": "chat", "turn": turn.id}
    s.add(Inbox(key=f"{at}{done}", person="ann", text="q", sent_at=at, received_at=at, state=state, **common))
    s.add(Message(session="chat:1", turn=turn.id, role="user", content="q", created_at=at))
    sent = OutboxState.SENT if done else OutboxState.QUEUED
    s.add(Outbox(chat="1", text="a", state=sent, created_at=at, **common))


async def dropped(database: Database, name: str) -> int:
    count = 0
    for rule in RULES[name]:
        drop = partial(retention.drop_old_rows, rule=rule, before=BEFORE)
        while found := await database.write(drop):
            count += found
    return count


def counts(path: Path, *tables: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


async def test_an_old_conversation_goes_whole(database: Database) -> None:
    await database.write(partial(conversation, at=OLD))
    await database.write(partial(conversation, at=NEW))
    assert await dropped(database, "messages") == 4
    assert counts(database.path, "turn", "inbox", "message", "outbox") == [1, 1, 1, 1]


async def test_what_is_not_answered_or_delivered_stays_however_old(database: Database) -> None:
    await database.write(partial(conversation, at=OLD, done=False))
    assert await dropped(database, "messages") == 0


async def test_more_than_a_slice_goes_in_slices(database: Database) -> None:
    def many(s: Transaction) -> None:
        for number in range(SLICE + 3):
            s.add(
                ToolOutput(handle=f"r{number}", session="c", turn=1, tool="t", text="x", trust="own", at=OLD)
            )

    await database.write(many)
    drop = partial(retention.drop_old_rows, rule=RULES["tool_outputs"][0], before=BEFORE)
    assert [await database.write(drop) for _ in range(3)] == [SLICE, 3, 0]


async def test_the_audit_logs_chain_stays_and_what_lies_beside_it_goes(database: Database) -> None:
    def deeds(s: Transaction) -> None:
        for number, at in ((1, OLD), (2, NEW)):
            common: dict[str, Any] = {
                "session": "c",
                "turn": 1,
                "person": "ann",
                "model": "m",
                "tool": "t",
                "trust": "own",
            }
            said: dict[str, Any] = {
                "verdict": "yes",
                "ok": True,
                "seconds": 0.1,
                "arguments": "d",
                "result": "d",
            }
            s.add(Audit(id=number, at=at, digest="d", **common, **said))
            s.add(AuditPayload(id=number, arguments="{}", result=""))

    await database.write(deeds)
    assert await dropped(database, "audit_details") == 1
    assert counts(database.path, "audit", "audit_payload") == [2, 1]


async def test_the_newest_version_of_a_file_of_facts_stays(database: Database) -> None:
    def versions(s: Transaction) -> None:
        for owner in ("ann", "bob"):
            for at in (OLD, OLD + 1):
                s.add(FactVersion(owner=owner, text=str(at), why="", at=at))

    await database.write(versions)
    assert await dropped(database, "memory_versions") == 2
    with closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("SELECT text FROM fact_version").fetchall() == [("1001.0",), ("1001.0",)]


async def test_the_room_is_given_back_to_the_disk(database: Database) -> None:
    def large(s: Transaction) -> None:
        for number in range(200):
            text = "x" * 20_000
            s.add(
                ToolOutput(handle=f"r{number}", session="c", turn=1, tool="t", text=text, trust="own", at=OLD)
            )

    await database.write(large)

    def pages(s: Transaction) -> int:
        return int(s.connection().exec_driver_sql("PRAGMA page_count").scalar_one())

    before = await database.read(pages)
    await dropped(database, "tool_outputs")
    while await database.write(retention.give_back_pages):
        pass
    assert await database.read(pages) < before / 2


def test_every_rule_has_its_setting() -> None:
    assert set(RULES) | {"received_files"} == set(type(Config().retention).model_fields)

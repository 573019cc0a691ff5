"""What lies on every message's way, and what a start looks up, finds its rows by an index: no table is read whole."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bot.agent.record import Record, Result
from bot.storage import approvals, contexts, inbox, ledger, notices, outbox, workers
from bot.storage.database import Database
from bot.storage.inbox import Entry
from bot.storage.ledger import LedgerBook
from bot.storage.outbox import Settled
from bot.storage.tables import Inbox, Outbox, OutboxState
from channels.types import Address
from providers.ledger import Call
from providers.types import Message, Route

_AT = Address("telegram", "7")
_GROWING = ("message", "message_fts", "turn", "inbox", "outbox", "ledger", "session", "tool_output", "audit")
"""Tables with a row for each message, conversation or call; the others have a few."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is executed meanwhile, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, given: Any, _ctx: object, many: bool) -> None:
        seen.append((statement, given[0] if many else given))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def scans(path: Path, seen: list[tuple[str, Any]]) -> list[str]:
    """The statements that read a growing table from end to end."""
    found = []
    with closing(sqlite3.connect(path)) as connection:
        for statement, given in seen:
            steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
            if any(re.match(rf"SCAN ({'|'.join(_GROWING)})\b(?! VIRTUAL)", str(step[3])) for step in steps):
                found.append(statement)
    return found


async def a_turn(database: Database, key: str) -> None:
    """One message's way through the tables, from its taking to its delivery."""
    row = Inbox(
        channel="telegram",
        key=key,
        session=str(_AT),
        person="ann",
        text="Hello",
        sent_at=1.0,
        received_at=1.0,
    )
    await database.write(partial(inbox.store, entries=[Entry(row, _AT, private=True)]))
    record = await Record.begin(database, str(_AT), None, lambda: 2.0)
    record.enter([row])
    LedgerBook(database).append(Call(2.0, "reasoning", str(_AT), Route("fake", "fake-1"), paid=True))
    record.add(Message("assistant", "Hello to you"))
    out = Outbox(session=str(_AT), channel="telegram", chat="7", text="Hello to you", created_at=2.0)
    await record.finish([out], Result("Answered", "fake/fake-1", [], record.shown))
    settled = Settled(out.id or 0, OutboxState.SENT, receipt="1", at=3.0)
    await database.write(partial(outbox.settle, done=settled, claim=None))


async def test_a_message_on_its_way(database: Database) -> None:
    with statements() as seen:
        for key in ("a", "b"):
            await a_turn(database, key)
    assert len(seen) > 20
    assert scans(database.path, seen) == []


async def test_a_start_and_what_is_shown_of_it(database: Database) -> None:
    await a_turn(database, "a")
    with statements() as seen:
        await database.write(partial(inbox.recover, channels=["telegram"], at_once=8))
        await database.write(partial(outbox.recover, channels=["telegram"], now=0.0))
        await database.write(partial(ledger.spent, since=0.0))
        await database.read(approvals.decided)
        await database.read(approvals.pending)
        await database.read(workers.background)
        await database.read(notices.known)
        await database.read(inbox.waiting)
        await database.read(outbox.counts)
        await database.read(partial(outbox.last_answer, session=str(_AT)))
        await database.read(partial(contexts.first_open, session=str(_AT)))
        await database.write(inbox.spare)
    assert len(seen) >= 12
    assert scans(database.path, seen) == []


async def test_a_table_that_is_read_whole_is_noticed(database: Database) -> None:
    with statements() as seen:
        await database.read(lambda s: s.connection().exec_driver_sql("SELECT count(text) FROM outbox").all())
    assert len(scans(database.path, seen)) == 1

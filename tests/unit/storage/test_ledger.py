"""The ledger: written along with other commits, never in their way, exact whatever is cancelled or refused."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.safety.rules import Role
from bot.storage import ledger
from bot.storage.database import Database, Transaction
from bot.storage.ledger import LedgerBook
from bot.storage.tables import Person
from providers.ledger import Amount, Call
from providers.types import Route, Usage

NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


@pytest.fixture
def book(database: Database) -> LedgerBook:
    return LedgerBook(database)


def call(usd: float | None = 0.5, outcome: str = "answered", **more: Any) -> Call:
    usage = Usage(100, 10, 40)
    given: dict[str, Any] = {"at": NOON, "role": "reasoning", "session": "t:1", "paid": True, "usage": usage}
    return Call(**{**given, "route": Route("p", "m"), "usd": usd, "outcome": outcome, **more})


def on_disk(database: Database) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database.path)) as connection:
        return connection.execute("SELECT usd, outcome FROM ledger ORDER BY id").fetchall()


def person(name: str) -> Any:
    def add(s: Transaction) -> None:
        s.add(Person(name=name, role=Role.USER, created_at=0.0))

    return add


async def test_a_row_that_nobody_waits_for_goes_along_with_the_next_commit(
    database: Database, book: LedgerBook
) -> None:
    book.append(call())
    await database.read(lambda _: None)
    assert on_disk(database) == []
    await database.write(person("ann"))
    assert on_disk(database) == [(0.5, "answered")]


async def test_it_is_there_after_closing_without_any_other_commit(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "nanobot.db")
    LedgerBook(database).append(call())
    await database.aclose()
    assert on_disk(database) == [(0.5, "answered")]


async def test_without_another_commit_it_is_written_soon(database: Database, book: LedgerBook) -> None:
    book.append(call())
    async with asyncio.timeout(30.0):
        while not on_disk(database):
            await asyncio.sleep(0.05)


async def test_a_failed_commit_loses_nothing_that_waits(database: Database, book: LedgerBook) -> None:
    await database.write(person("ann"))
    book.append(call())
    with pytest.raises(Exception, match="UNIQUE"):
        await database.write(person("ann"))
    assert on_disk(database) == []
    await database.write(person("bob"))
    assert on_disk(database) == [(0.5, "answered")]


async def test_a_statement_that_fails_undoes_itself_alone(
    database: Database, book: LedgerBook, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(s: Transaction) -> None:
        s.connection().exec_driver_sql("INSERT INTO ledger (at) VALUES (1)")

    book.append(call(0.1))
    database.later(wrong)
    book.append(call(0.2))
    await database.write(person("ann"))
    assert on_disk(database) == [(0.1, "answered"), (0.2, "answered")]
    assert "is lost" in caplog.text


async def test_a_reserved_call_is_on_disk_at_once_and_settled_later(
    database: Database, book: LedgerBook
) -> None:
    number = await book.reserve(call(2.0, ""))
    assert on_disk(database) == [(2.0, "")]
    assert await book.spent(NOON) == {"reasoning": Amount(2.0, 110)}
    book.settle(number, call(0.25))
    assert await book.spent(NOON) == {"reasoning": Amount(0.25, 110)}
    assert on_disk(database) == [(0.25, "answered")]


async def test_a_reservation_that_was_given_up_costs_nothing(database: Database, book: LedgerBook) -> None:
    go = threading.Event()
    busy = asyncio.ensure_future(database.write(lambda _: go.wait(5)))
    await asyncio.sleep(0.01)  # so that the thread has it
    reserving = asyncio.ensure_future(book.reserve(call(2.0, "")))
    await asyncio.sleep(0)
    reserving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reserving
    go.set()
    await busy
    assert await book.spent(NOON) == {"reasoning": Amount()}
    assert on_disk(database) == [(0.0, "cancelled")]


async def test_sums_count_what_is_paid_since_a_time_by_role(database: Database, book: LedgerBook) -> None:
    book.append(call(1.0, at=NOON - 10))
    book.append(call(0.25))
    book.append(call(0.5, role="rlm"))
    book.append(call(0.0, paid=False))
    book.append(call(None))
    assert await book.spent(NOON) == {"reasoning": Amount(0.25, 220), "rlm": Amount(0.5, 110)}


async def test_reports_by_role_model_and_day(database: Database, book: LedgerBook) -> None:
    book.append(call(1.0, at=NOON - 86_400))
    book.append(call(0.25, "Denied", role="rlm"))
    book.append(call(None, route=Route("q", "n/o")))

    def by(name: Any) -> Any:
        return database.write(partial(ledger.sums, by=name, since=0.0))

    whole = ledger.Sum("", 3, 2, 300, 120, 30, 1.25, 1)
    assert await by("") == [whole]
    assert [(one.name, one.calls, one.usd, one.unpriced) for one in await by("model")] == [
        ("p/m", 2, 1.25, 0),
        ("q/n/o", 1, 0.0, 1),
    ]
    assert [(one.name, one.answered) for one in await by("role")] == [("reasoning", 2), ("rlm", 0)]
    assert [(one.name, one.calls) for one in await by("day")] == [("2026-11-22", 2), ("2026-11-21", 1)]
    assert await database.write(partial(ledger.sums, by="", since=NOON + 1)) in ([], [ledger.Sum("")])


async def test_what_a_turn_has_cost_so_far(database: Database, book: LedgerBook) -> None:
    book.append(call(0.25))
    book.append(call(0.5, session="t:2"))
    book.append(call(0.5, at=NOON - 1))
    spent = await database.write(partial(ledger.turn_spent, session="t:1", since=NOON))
    assert spent == Amount(0.25, 110)


async def test_what_the_owner_was_told_is_remembered_and_does_not_grow_for_ever(database: Database) -> None:
    for number in range(100):
        await database.write(partial(ledger.remember, keys=[f"{number}", "same"], at=NOON))
    told = await database.read(ledger.told)
    assert "same" in told or "99" in told
    assert told[-1] == "99"
    assert len(told) < 100

"""Transactions: durable, one commit for what waits, one failure undoing only itself, no work lost at the end."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from bot.errors import StorageError
from bot.safety.rules import Role
from bot.storage.database import Database, Transaction
from bot.storage.tables import Identity, Person


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


def adding(name: str) -> Callable[[Transaction], str]:
    def add(s: Transaction) -> str:
        s.add(Person(name=name, role=Role.USER, created_at=0.0))
        return name

    return add


async def together(database: Database, *runs: Callable[[Transaction], Any]) -> list[Any]:
    """The results or errors of transactions that share one commit."""
    go = threading.Event()
    first = asyncio.ensure_future(database.write(lambda _: go.wait(5)))
    await asyncio.sleep(0.01)  # so that the thread has it
    rest = [asyncio.ensure_future(database.write(run)) for run in runs]
    await asyncio.sleep(0)
    go.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


def names(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        rows = [row[0] for row in connection.execute("SELECT name FROM person ORDER BY name")]
    connection.close()
    return rows


async def test_what_write_returned_from_is_on_disk(database: Database) -> None:
    assert await database.write(adding("ann")) == "ann"
    assert names(database.path) == ["ann"]


async def test_a_failure_undoes_only_its_own_part_of_a_shared_commit(database: Database) -> None:
    await database.write(adding("ann"))
    results = await together(database, adding("bob"), adding("ann"), adding("cid"))
    assert results[0] == "bob"
    assert isinstance(results[1], IntegrityError), "a fault of ours, which trying again would not mend"
    assert results[2] == "cid"
    assert names(database.path) == ["ann", "bob", "cid"]


async def test_a_full_disk_is_told_to_all_who_share_the_commit_that_it_undid(database: Database) -> None:
    def leave_no_room(s: Transaction) -> None:
        pages = s.connection().exec_driver_sql("PRAGMA page_count").scalar()
        s.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await database.write(leave_no_room)
    results = await together(database, adding("ann"), adding("bob" * 100_000), adding("cid"))
    assert [str(result).rpartition(": ")[2] for result in results] == ["database or disk is full"] * 3
    assert names(database.path) == []
    await database.write(adding("dan"))
    assert names(database.path) == ["dan"]


@pytest.mark.parametrize("others", [0, 2])
async def test_a_commit_that_fails_fails_all_that_share_it_and_not_the_next(
    database: Database, others: int
) -> None:
    def fail_at_commit(s: Transaction) -> None:
        s.connection().exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        s.add(Identity(channel="t", sender="1", person="nobody", created_at=0.0))

    results = await together(database, fail_at_commit, *[adding(f"p{n}") for n in range(others)])
    assert all(isinstance(result, IntegrityError) for result in results)
    assert names(database.path) == []
    assert await together(database, adding("ann"), adding("bob")) == ["ann", "bob"]
    assert names(database.path) == ["ann", "bob"]


async def test_what_was_read_stays_readable_when_another_in_the_same_commit_fails(database: Database) -> None:
    def promote_and_fail(s: Transaction) -> None:
        s.get_one(Person, "ann").role = Role.OWNER
        s.flush()
        raise LookupError

    await database.write(adding("ann"))
    ann, failed = await together(database, lambda s: s.get_one(Person, "ann"), promote_and_fail)
    assert isinstance(failed, LookupError)
    assert isinstance(ann, Person)
    assert (ann.name, ann.role) == ("ann", Role.USER)


async def test_an_error_of_the_function_reaches_its_caller_and_undoes_it(database: Database) -> None:
    def fail(s: Transaction) -> None:
        s.add(Person(name="half", role=Role.USER, created_at=0.0))
        s.flush()
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        await database.write(fail)
    assert names(database.path) == []


async def test_reads_see_every_write_submitted_before(database: Database) -> None:
    writes = [asyncio.ensure_future(database.write(adding(f"p{n}"))) for n in range(20)]
    await asyncio.sleep(0)  # so that they are submitted
    found = await database.read(lambda s: s.get(Person, "p19"))
    await asyncio.gather(*writes)
    assert found is not None


async def test_a_cancelled_caller_leaves_a_whole_transaction(database: Database) -> None:
    task = asyncio.ensure_future(database.write(adding("ann")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.read(lambda s: None)
    assert names(database.path) == ["ann"]


async def test_closing_finishes_what_was_queued(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "nanobot.db")
    writes = [asyncio.ensure_future(database.write(adding(f"p{n}"))) for n in range(200)]
    await asyncio.sleep(0)
    await database.aclose()
    await asyncio.gather(*writes)
    assert len(names(database.path)) == 200
    with pytest.raises(StorageError, match="closed"):
        await database.write(adding("late"))


async def test_insist_goes_on_until_the_disk_takes_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.database.FIRST_WAIT", 0.001)
    tries: list[int] = []
    undone: list[int] = []

    def flaky(s: Transaction) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise StorageError("disk full")
        return adding("ann")(s)

    assert await database.insist(flaky, lambda: undone.append(1)) == "ann"
    assert (len(tries), len(undone)) == (3, 2)
    assert names(database.path) == ["ann"]


async def test_insist_ends_when_the_database_is_closed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.database.FIRST_WAIT", 0.001)

    def refused(_: Transaction) -> None:
        raise StorageError("disk full")

    insisting = asyncio.ensure_future(database.insist(refused))
    await asyncio.sleep(0.01)
    await database.aclose()
    async with asyncio.timeout(1):
        with pytest.raises(StorageError):
            await insisting


async def test_commits_are_flushed_to_the_disk_and_the_file_is_private(database: Database) -> None:
    def settings(s: Transaction) -> tuple[str, int, int]:
        connection = s.connection()
        return tuple(  # type: ignore[return-value] # three pragmas
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        )

    assert await database.read(settings) == ("wal", 2, 1)
    assert database.path.stat().st_mode & 0o077 == 0


async def test_a_full_disk_fails_nobody_who_only_reads(database: Database) -> None:
    def leave_no_room(s: Transaction) -> None:
        pages = s.connection().exec_driver_sql("PRAGMA page_count").scalar()
        s.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def count(s: Transaction) -> int:
        return int(s.connection().exec_driver_sql("SELECT count(*) FROM person").scalar() or 0)

    await database.write(adding("ann"))
    await database.write(leave_no_room)
    go = threading.Event()
    first = asyncio.ensure_future(database.write(lambda _: go.wait(5)))
    await asyncio.sleep(0.01)
    before = asyncio.ensure_future(database.read(count))
    full = asyncio.ensure_future(database.write(adding("bob" * 100_000)))
    after = asyncio.ensure_future(database.read(count))
    await asyncio.sleep(0)
    go.set()
    await first
    with pytest.raises(StorageError):
        await full
    assert (await before, await after) == (1, 1)


async def test_what_was_not_stored_is_not_in_the_error_which_goes_into_the_log(database: Database) -> None:
    await database.write(adding("ann"))
    with pytest.raises(IntegrityError) as caught:
        await database.write(adding("ann"))
    assert "ann" not in str(caught.value)

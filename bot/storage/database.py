"""One SQLite file, one writer: transactions are functions that run in one dedicated thread.

`await db.write(fn)` runs `fn(session)` and returns its result once the commit is on disk. Whatever waits in the queue
at that moment shares one commit (each function under its own savepoint, so that one failing undoes only itself): a
durable commit costs a disk flush, and fifty chats writing at once should not pay fifty of them.

Functions rather than an async session, because a transaction then never spans an `await`: it can't be interleaved,
can't be left open by a cancelled task, and costs one hop between threads instead of one for every statement.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.pool import StaticPool
from sqlmodel import Session

from bot.errors import StorageError
from bot.storage import schema

log = logging.getLogger(__name__)
T = TypeVar("T")
Transaction = Session
"""What a transaction's function is given."""

_BATCH = 64
"""Most transactions that share one commit; bounds how long the first of them waits."""
LATER_SECONDS = 2.0
"""How long what nobody waits for may wait for a commit that it can share."""
_MOST_LATER = 1000
"""So much of it is kept while the disk refuses; then the oldest is given up."""
FIRST_WAIT = 1.0
"""Seconds before a write that the disk refused is tried again; doubling."""


_Unawaited = Callable[[Session], Any]


@dataclass(slots=True)
class _Job:
    run: Callable[[Session], Any]
    writes: bool
    done: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Database:
    """Open with `Database.open(path)`; use `read`, `write`; end with `aclose`."""

    def __init__(self, connection: Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection
        # One for all transactions, and emptied after each: making one takes as long as a statement.
        self._session = Session(connection, expire_on_commit=False)
        self._queue: SimpleQueue[list[_Job | _Unawaited] | None] = SimpleQueue()
        self._unsent: list[_Unawaited] = []
        """What nobody waits for goes to the thread with the next job: waking it would cost as much as writing it."""
        self._timer: asyncio.TimerHandle | None = None
        self._later: list[_Unawaited] = []
        """Belongs to the thread, as does when it is to be written at the latest."""
        self._later_due = 0.0
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="database", daemon=True)
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Check, migrate and open the file, making it where there is none.

        Raises StorageError, with the file untouched, if it is damaged, newer than this program, or can't be written.
        """
        database = cls(await asyncio.to_thread(_connected, path), path)
        database._thread.start()
        return database

    async def write(self, run: Callable[[Session], T]) -> T:
        """Run a transaction; returns when it is durable. Raises what `run` raises (undone), or StorageError."""
        return await self._submit(run, writes=True)

    async def insist(self, run: Callable[[Session], T], undo: Callable[[], None] = lambda: None) -> T:
        """As `write`, but tried again as long as the disk refuses and nobody closes the database; `undo` runs before
        each next try.
        """
        wait = FIRST_WAIT
        while True:
            try:
                return await self.write(run)
            except StorageError as error:
                if self._closed:
                    raise
                log.error("the database can't be written, trying again: %s", error)
                undo()
                await asyncio.sleep(wait)
                wait = min(wait * 2, 30.0)

    async def read(self, run: Callable[[Session], T]) -> T:
        """Run a function that only reads. It sees every write submitted before it."""
        return await self._submit(run, writes=False)

    def later(self, run: Callable[[Session], None]) -> None:
        """Execute a few statements (no ORM) that nobody waits for: with the next commit that somebody does wait for,
        or soon where there is none. A `read` may not see them yet, a later `write` does. A failure is logged.
        """
        if self._closed:
            log.error("the database is closed: %s is lost", run)
            return
        self._unsent.append(run)
        if self._timer is None:
            self._timer = self._loop.call_later(LATER_SECONDS, self._send)

    async def aclose(self) -> None:
        """Finish what is queued, then close the file."""
        if not self._closed:
            self._closed = True
            self._send()
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    async def _submit(self, run: Callable[[Session], T], *, writes: bool) -> T:
        if self._closed:
            raise StorageError("the database is closed")
        job = _Job(run, writes, self._loop.create_future())
        self._send(job)
        # A transaction under way is not undone because its caller was cancelled; the caller just stops waiting.
        result: T = await job.done
        return result

    def _send(self, *jobs: _Job) -> None:
        """Hand the thread what it has not got yet, then these, in the order they came."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        items: list[_Job | _Unawaited] = [*self._unsent, *jobs]
        self._unsent = []
        if items:
            self._queue.put(items)

    def _work(self) -> None:
        last = False
        while not last:
            items, last = self._gather()
            self._run_batch(items)
            self._loop.call_soon_threadsafe(_settle, _jobs(items))
        if self._later:
            self._run_batch(list(self._later))
        self._connection.close()
        self._connection.engine.dispose()

    def _gather(self) -> tuple[list[_Job | _Unawaited], bool]:
        """What waits, in its order, at least something unless nothing came for a while; and whether it is the last."""
        items: list[_Job | _Unawaited] = list(self._later[-_MOST_LATER:])
        jobs, new = 0, False
        while jobs < _BATCH and not (new and self._queue.empty()):
            try:
                come = self._queue.get(timeout=LATER_SECONDS if items else None)
            except Empty:
                break
            if come is None:
                return items, True
            if not items:
                self._later_due = time.monotonic() + LATER_SECONDS
            new = True
            items += come
            jobs += len(_jobs(come))
        return items, False

    def _run_batch(self, items: list[_Job | _Unawaited]) -> None:
        jobs = _jobs(items)
        self._later = [item for item in items if not isinstance(item, _Job)]
        # Where nobody waits for a commit, what nobody waits for may go on waiting for one.
        along = not jobs or any(job.writes for job in jobs) or time.monotonic() > self._later_due
        failure: BaseException | None = None
        try:
            with self._session as session:
                self._run_all(session, items if along else jobs, alone=len(jobs) == 1)
                if len(jobs) != 1 or jobs[0].error is None:
                    session.commit()
                    self._later = [] if along else self._later
        except DBAPIError as error:
            failure = _translated(error, self.path)
            if not jobs:
                log.warning("what nobody waits for was not written: %s", failure)
        except BaseException as error:  # noqa: BLE001 -- the thread serves everybody: its callers get the error
            failure = error
        finally:
            # Nothing to do but after a commit that failed, which leaves the transaction open.
            with suppress(DBAPIError, sqlite3.Error):
                self._connection.rollback()
                self._driver.rollback()
        if failure is not None:
            self._fail(items, failure)

    def _fail(self, items: Sequence[_Job | _Unawaited], failure: BaseException) -> None:
        """Tell all whose transaction was undone; who only reads is no worse off for what others could not write."""
        reading = [job for job in _jobs(items) if not job.writes and job.error is None]
        again = reading if len(reading) < len(items) else []
        for job in _jobs(items):
            if job.writes or not again:
                job.error = job.error or failure
        if again:
            later, self._later = self._later, []
            self._run_batch([*again])
            self._later = later

    def _run_all(self, session: Session, items: Sequence[_Job | _Unawaited], *, alone: bool) -> None:
        for item in items:
            if not isinstance(item, _Job):
                self._run_unawaited(session, item)
                continue
            self._run_one(session, item, alone=alone)
            # What a job returned is its caller's: what the others do must not show in it.
            session.expunge_all()
            if item.error is not None and not self._driver.in_transaction:
                # A full disk makes SQLite undo all of it: see "Response To Errors Within A Transaction" at
                # https://sqlite.org/lang_transaction.html
                raise item.error

    def _run_unawaited(self, session: Session, run: _Unawaited) -> None:
        """Run it under a savepoint of its own. Raises where the disk undid everything."""
        session.connection()  # the transaction has begun, so that no savepoint commits by itself
        self._driver.execute("SAVEPOINT later")
        try:
            run(session)
        except Exception:
            if not self._driver.in_transaction:
                raise
            self._driver.execute("ROLLBACK TO later")
            log.exception("%s was not written and is lost", run)
        self._driver.execute("RELEASE later")

    def _run_one(self, session: Session, job: _Job, *, alone: bool) -> None:
        try:
            if alone or not job.writes:
                job.result = job.run(session)
                session.flush()
            else:
                with session.begin_nested():
                    job.result = job.run(session)
        except DBAPIError as error:
            job.error = _translated(error, self.path)
        except Exception as error:  # noqa: BLE001 -- handed to the caller that awaits it
            job.error = error


def _jobs(items: Sequence[_Job | _Unawaited]) -> list[_Job]:
    return [item for item in items if isinstance(item, _Job)]


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.done.cancelled():
            continue
        if job.error is not None:
            job.done.set_exception(job.error)
        else:
            job.done.set_result(job.result)


def _connected(path: Path) -> Connection:
    schema.prepare(path)
    try:
        return _engine(path).connect()
    except DBAPIError as error:
        raise _translated(error, path) from None


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": 5.0},
        hide_parameters=True,  # people's words, which an error would take into the log
    )

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own implicit BEGIN breaks savepoints; see SQLAlchemy's page on the pysqlite dialect.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: Any) -> None:
        # By the driver: as a statement of SQLAlchemy's it takes ten times as long, several times a message.
        connection.connection.dbapi_connection.execute("BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begin)
    return engine


def _translated(error: DBAPIError, path: Path) -> Exception:
    """The disk's refusals (full, read-only, locked, damaged) as StorageError; a fault of ours stays what it is."""
    # Where the whole transaction is gone, leaving its savepoint fails too; the first failure is the cause.
    while isinstance(error.__context__, DBAPIError):
        error = error.__context__
    refused = isinstance(error, OperationalError) or type(error) is DatabaseError
    return StorageError(f"{path}: {error.orig}") if refused else error

"""Rows as plain values, stored and read without the ORM's bookkeeping: for what lies on every message's way.

The ORM's unit of work takes several times as long as the statements that come of it (docs/BENCHMARK.md). What is
stored here is not attached to the session: a transaction that is undone leaves nothing behind but the ids it gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Executable, Table
from sqlmodel import Session as Db
from sqlmodel import SQLModel

from bot.storage.tables import Inbox, Ledger, Outbox, Reminder, Turn

T = TypeVar("T", bound=SQLModel)
Numbered = Inbox | Ledger | Outbox | Reminder | Turn
"""A row whose id the database gives."""


def table(kind: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(kind.__tablename__)]


def add(s: Db, row: Numbered) -> int:
    """Store a new row; returns the id that it now has."""
    into = table(type(row))
    key = s.connection().execute(into.insert(), _columns(into, row)).inserted_primary_key
    assert key is not None  # noqa: S101 -- given by every insert of one row
    row.id = int(key[0])
    return row.id


def add_all(s: Db, rows: Sequence[SQLModel]) -> None:
    """Store new rows of one table whose ids nobody asks for."""
    if rows:
        into = table(type(rows[0]))
        s.connection().execute(into.insert(), [_columns(into, row) for row in rows])


def change(s: Db, row: Numbered, *names: str) -> None:
    """Store these fields of a row that is there already."""
    of = table(type(row))
    s.connection().execute(of.update().where(of.c.id == row.id), {name: getattr(row, name) for name in names})


def one(s: Db, kind: type[T], statement: Executable, **given: Any) -> T | None:
    """The row that the `select` of a whole table finds."""
    found = s.connection().execute(statement, given).mappings().first()
    return None if found is None else kind(**found)


def _columns(into: Table, row: SQLModel) -> dict[str, Any]:
    return {name: getattr(row, name) for name in into.columns.keys() if name != "id"}  # noqa: SIM118 -- no dict

"""What became of each scheduled job, for as long as the file lives."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session as Db
from sqlmodel import select

from bot.storage.tables import Job


def rows(s: Db) -> dict[str, Job]:
    """Every job that was ever known, by name."""
    return {row.name: row for row in s.exec(select(Job))}


def keep(s: Db, *, new: Sequence[Job]) -> None:
    """Put the jobs' states in the place of the old ones."""
    for row in new:
        s.merge(row)

"""Which files of the workspace hold words from outside, by their path below it; every other file is its owner's own."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.storage.tables import Origin


def untrusted(s: Db) -> frozenset[str]:
    return frozenset(s.exec(select(Origin.path)))


def mark(s: Db, paths: Iterable[str], now: float) -> None:
    """These files hold text from outside, or were made by a model that had read such."""
    for path in paths:
        s.merge(Origin(path=path, at=now))


def clear(s: Db, paths: Iterable[str]) -> None:
    """These files were written anew, with nothing from outside before the one who wrote them."""
    s.execute(delete(Origin).where(col(Origin.path).in_(list(paths))))

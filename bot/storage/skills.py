"""Which skills the owner has enabled, each with the digest of what it held then."""

from __future__ import annotations

from sqlmodel import Session as Db
from sqlmodel import select

from bot.storage.tables import EnabledSkill


def enabled(s: Db) -> list[EnabledSkill]:
    return list(s.exec(select(EnabledSkill)))


def enable(s: Db, row: EnabledSkill) -> None:
    s.merge(row)


def disable(s: Db, name: str) -> bool:
    """False where it was not enabled."""
    row = s.get(EnabledSkill, name)
    if row is None:
        return False
    s.delete(row)
    return True

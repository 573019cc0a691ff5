"""The last good list of each gateway's models, and how well models have answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import case, func
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.storage.tables import Catalogue, Ledger
from providers.types import Route


def lists(s: Db) -> dict[str, Catalogue]:
    """Every stored list, by provider."""
    return {row.provider: row for row in s.exec(select(Catalogue))}


def list_models(s: Db, *, provider: str, models: list[dict[str, Any]], etag: str, at: float) -> None:
    """Put a new list in the place of the old one."""
    s.merge(Catalogue(provider=provider, models=models, etag=etag, fetched_at=at))


def still_good(s: Db, *, provider: str, at: float) -> None:
    """The stored list was found unchanged."""
    row = s.get(Catalogue, provider)
    if row is not None:
        row.fetched_at = at
        s.add(row)


def measured(s: Db, *, since: float) -> Mapping[Route, tuple[int, int]]:
    """(calls, answers among them) of each model since then; calls that nobody waited for to the end don't count."""
    calls = (
        select(
            Ledger.provider,
            Ledger.model,
            func.count(),
            func.sum(case((col(Ledger.outcome) == "answered", 1), else_=0)),
        )
        .where(col(Ledger.at) >= since, col(Ledger.outcome).not_in(("", "cancelled")))
        .group_by(col(Ledger.provider), col(Ledger.model))
    )
    return {Route(provider, model): (count, answers) for provider, model, count, answers in s.exec(calls)}

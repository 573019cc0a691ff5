"""What a stopped bot left about its models, read without opening its database for writing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, select

from bot.storage import catalogue
from bot.storage.tables import Catalogue, ProviderState
from providers.types import Route


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The stored lists, how well models answered, and the providers' states; implements a `StateStore` that forgets."""

    lists: Mapping[str, Catalogue] = field(default_factory=dict)
    measured: Mapping[Route, tuple[int, int]] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    async def load(self) -> Mapping[str, Mapping[str, Any]]:
        return self.states

    async def save(self, scope: str, state: Mapping[str, Any]) -> None:
        """Nothing: it is not ours to write."""


def snapshot(file: Path, since: float) -> Snapshot:
    """What the database says, with answers counted from `since` (epoch seconds) on; empty where it can't be read: it is
    missing, older, or somebody else's to complain about.
    """
    if not file.exists():
        return Snapshot()
    engine = create_engine(f"sqlite:///file:{quote(str(file))}?mode=ro&uri=true")
    try:
        with Session(engine) as s:
            lists = catalogue.lists(s)
            measured = catalogue.measured(s, since=since)
            states = {row.scope: row.state for row in s.exec(select(ProviderState))}
            s.expunge_all()
            return Snapshot(lists, measured, states)
    except DatabaseError:
        return Snapshot()
    finally:
        engine.dispose()

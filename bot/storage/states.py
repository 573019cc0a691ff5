"""Where the providers' rests and breakers outlive a restart: implements `providers.base.StateStore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import select

from bot.storage.database import Database
from bot.storage.tables import ProviderState


class ProviderStates:
    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def load(self) -> Mapping[str, Mapping[str, Any]]:
        def read(s: Db) -> dict[str, Mapping[str, Any]]:
            return {row.scope: row.state for row in s.exec(select(ProviderState))}

        return await self._database.read(read)

    async def save(self, scope: str, state: Mapping[str, Any]) -> None:
        row = ProviderState(scope=scope, state=dict(state), updated_at=self._clock())

        def save_provider_state(s: Db) -> None:
            s.merge(row)

        await self._database.write(save_provider_state)

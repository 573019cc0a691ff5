"""Where the providers' rests and breakers outlive a restart: implements `providers.base.StateStore`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import select

from bot.errors import StorageError
from bot.storage.database import Database
from bot.storage.tables import ProviderState

log = logging.getLogger(__name__)


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

        try:
            await self._database.write(save_provider_state)
        except StorageError as error:
            # Worth a line, not an answer: after a restart this rest is learned again.
            log.warning("the state of %s was not kept: %s", scope, error)

"""A channel's own durable notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session as Db
from sqlmodel import col

from bot.storage.database import Database
from bot.storage.tables import ChannelState


@dataclass(frozen=True, slots=True)
class ChannelStore:
    """Implements `channels.base.Store` for one channel. `clock` gives seconds since the epoch."""

    database: Database
    channel: str
    clock: Callable[[], float]

    async def load(self, key: str) -> dict[str, Any] | None:
        return await self.database.read(partial(_load, channel=self.channel, key=key))

    async def save(self, key: str, value: Mapping[str, Any]) -> None:
        row = ChannelState(channel=self.channel, key=key, value=dict(value), updated_at=self.clock())
        await self.database.write(partial(note_of_channel, row=row))

    async def delete(self, key: str) -> None:
        await self.database.write(partial(drop_note_of_channel, channel=self.channel, key=key))


def _load(s: Db, channel: str, key: str) -> dict[str, Any] | None:
    row = s.get(ChannelState, (channel, key))
    return None if row is None else dict(row.value)


def note_of_channel(s: Db, row: ChannelState) -> None:
    s.merge(row)


def drop_note_of_channel(s: Db, channel: str, key: str) -> None:
    s.execute(delete(ChannelState).where(col(ChannelState.channel) == channel, col(ChannelState.key) == key))

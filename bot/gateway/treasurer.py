"""Tells the owner of caps that are nearly or wholly used: each once in its day or month, also over restarts.

Where an answer for the owner is due anyway, the line goes with it; else it goes to their private chat last used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from bot.errors import StorageError
from bot.gateway.notices import clock
from bot.gateway.outbox import Outbox
from bot.gateway.people import outgoing
from bot.storage import ledger, sessions
from bot.storage.database import Database
from providers.budget import Standing
from providers.client import ModelClient

_LOOK_SECONDS = 600.0
"""How often we look without a turn that ended: scheduled jobs ask models, too."""


@dataclass(frozen=True, slots=True)
class Word:
    """What is to be told, and the `keys` by which it is remembered; both empty where there is nothing new."""

    text: str = ""
    keys: tuple[str, ...] = ()


class Treasurer:
    """`owner` gives their name, `channels` those that run."""

    def __init__(
        self,
        models: ModelClient,
        database: Database,
        outbox: Outbox,
        owner: Callable[[], str],
        channels: Collection[str],
    ) -> None:
        self._models = models
        self._database = database
        self._outbox = outbox
        self._owner = owner
        self._channels = channels
        self._told: set[str] = set()
        self._ended = asyncio.Event()

    async def load(self) -> None:
        """Take up what was told before the restart."""
        self._told |= set(await self._database.read(ledger.told))

    def claim(self, now: float) -> Word:
        """What the owner doesn't know yet. Whoever claims it, tells it, and has it remembered in the transaction that
        stores the message.
        """
        new = [s for s in self._models.standings() if s.level and _key(s) not in self._told]
        keys = tuple(key for standing in new for key in _keys(standing))
        self._told |= set(keys)
        return Word("\n".join(line(standing, now) for standing in new), keys)

    def turn_ended(self) -> None:
        self._ended.set()

    async def watch(self) -> None:
        """Tell what no answer told. Runs for ever."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._ended.wait()
            except TimeoutError:
                pass
            self._ended.clear()
            if any(standing.level for standing in self._models.standings()):
                await self.tell()

    async def tell(self) -> None:
        """Write to the owner, if there is something new and a chat to write to."""
        chats = await self._database.read(partial(sessions.private_of, person=self._owner()))
        chat = next((row for row in chats if row.channel in self._channels), None)
        now = self._models.now()
        word = self.claim(now) if chat is not None else Word()
        if chat is None or not word.text:
            return
        rows = [outgoing(sessions.address_of(chat), word.text, now, "notice")]
        try:
            stored = await self._database.write(partial(ledger.tell, keys=word.keys, rows=rows, at=now))
        except StorageError:
            self._told -= set(word.keys)
            raise
        self._outbox.put(stored)


def line(standing: Standing, now: float) -> str:
    """One line on one cap."""
    cap = standing.cap
    whose = f" for {cap.role}" if cap.role else ""
    used = f"{cap.share(standing.spent)} a {cap.period}{whose}"
    if standing.level == "near":
        return f"💰 {standing.spent / cap.most:.0%} of a limit is used: {used}."
    until = clock(standing.until, now)
    return f"💰 A limit is reached: {used}. Models that cost money rest until {until}; free and local ones go on."


def _keys(standing: Standing) -> Iterator[str]:
    """What is told by telling of this one: whoever knows that a cap is reached, knows that it was near."""
    if standing.level == "reached":
        yield _key(standing, "near")
    yield _key(standing)


def _key(standing: Standing, level: str = "") -> str:
    cap = standing.cap
    return f"{cap.setting} {cap.most:g} {standing.begins:.0f} {level or standing.level}"

"""How many tokens a model really counts for what we estimate, learned from the usage that providers report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bot.storage import contexts
from bot.storage.database import Database

_WEIGHT = 0.2
"""Of the newest report; the ones before keep the rest."""
_LEAST, _MOST = 0.5, 3.0
_SMALL = 200
"""Tokens below which a report says more about a template than about the text."""


class Calibration:
    """A factor for each model, 1 where nothing is known; kept over restarts."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._factors: dict[str, float] = {}

    async def load(self) -> None:
        self._factors = await self._database.read(contexts.factors)

    def tokens(self, route: str, estimated: int) -> int:
        """What this model will count for so many estimated tokens."""
        return int(estimated * self._factors.get(route, 1.0))

    def room(self, route: str, tokens: int) -> int:
        """How many estimated tokens fit into so many of this model's."""
        return int(tokens / self._factors.get(route, 1.0))

    def reported(self, route: str, estimated: int, counted: int) -> None:
        """A provider counted a prompt that we had estimated."""
        if estimated < _SMALL or counted <= 0:
            return
        now = min(max(counted / estimated, _LEAST), _MOST)
        before = self._factors.get(route)
        factor = now if before is None else before + _WEIGHT * (now - before)
        self._factors[route] = factor
        if before is None or abs(factor - before) > 0.02 * before:
            self._database.later(partial(contexts.keep_factor, route=route, factor=factor, now=self._clock()))

"""The lists of models that gateways publish: taken up from the last run at start, and asked for anew by a job."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot.errors import BotError
from bot.storage import catalogue as rows
from bot.storage.database import Database
from bot.storage.tables import Catalogue
from providers.catalogue import vanished
from providers.client import ModelClient
from providers.errors import ProviderError
from providers.openrouter import Fetched
from providers.types import Route

log = logging.getLogger(__name__)

FRESH = 3600.0
"""Seconds for which a list is not asked for again, however often the bot is started."""
MEASURED_OVER = 30 * 86_400.0
"""Seconds of the past that say how well a model answers."""
_NAMED = 8
"""How many vanished models a line of the log names."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The stored lists by provider, and what the ledger says of their models."""

    lists: Mapping[str, Catalogue]
    measured: Mapping[Route, tuple[int, int]]


class Catalogues:
    """Between the models in use and the lists in the database. Times are seconds since the epoch."""

    def __init__(self, models: ModelClient, database: Database) -> None:
        self._models = models
        self._database = database

    async def load(self, now: float) -> None:
        """Take up what the last run knew, so that a start waits for nobody."""
        known = await self._known(now)
        for provider in self._models.gateways():
            if provider in known.lists:
                self._models.stock(provider, known.lists[provider].models, known.measured)

    async def refresh(self, now: float) -> str:
        """Ask each gateway for its list, unless it was just asked, and rank the free models anew.

        Returns what came of it in one line. A list that can't be had leaves the old one as it is; raises BotError with
        the reasons where none could be had.
        """
        known = await self._known(now)
        said: list[str] = []
        failed: list[str] = []
        for provider in self._models.gateways():
            try:
                said.append(await self._refreshed(provider, known, now))
            except ProviderError as error:
                failed.append(_failure(provider, error, known.lists.get(provider)))
        if failed and not said:
            raise BotError("; ".join(failed))
        return "; ".join(filter(None, (*said, *failed)))

    async def _refreshed(self, provider: str, known: _Known, now: float) -> str:
        old = known.lists.get(provider)
        if old is not None and 0 <= now - old.fetched_at < FRESH:
            self._models.stock(provider, old.models, known.measured)
            return ""
        new = await self._models.catalogue(provider, old.etag if old else "")
        if new is not None:
            await self._database.write(
                partial(rows.list_models, provider=provider, models=new.models, etag=new.etag, at=now)
            )
            free = self._models.stock(provider, new.models, known.measured, fresh=True)
            counted = f"{len(new.models)} models, {len(free)} of them free with tools"
            return f"{provider}: {counted}{_gone(provider, old, new)}"
        if old is not None:
            await self._database.write(partial(rows.still_good, provider=provider, at=now))
            self._models.stock(provider, old.models, known.measured, fresh=True)
        return f"{provider}: unchanged"

    async def _known(self, now: float) -> _Known:
        lists = await self._database.read(rows.lists)
        return _Known(lists, await self._database.read(partial(rows.measured, since=now - MEASURED_OVER)))


def _gone(provider: str, old: Catalogue | None, new: Fetched) -> str:
    """Log which models a newer list leaves out, and count them for whoever asks."""
    gone = vanished(_ids(old.models), _ids(new.models)) if old is not None else ()
    if not gone:
        return ""
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    log.info("no longer listed at %s: %s%s", provider, ", ".join(gone[:_NAMED]), more)
    return f", {len(gone)} gone since the last time"


def _failure(provider: str, error: ProviderError, old: Catalogue | None) -> str:
    why = f"{provider} {error.summary}{f' ({error.detail})' if error.detail else ''}"
    if old is None:
        return f"{why}; its own short list is used until it answers"
    return f"{why}; its list of {time.strftime('%d %b %H:%M', time.localtime(old.fetched_at))} stays in use"


def _ids(models: list[dict[str, Any]]) -> list[str]:
    return [str(model.get("id", "")) for model in models]

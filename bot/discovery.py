"""Which models there are where nobody configured any: local servers, keys in the environment, the built-in model.

With `[providers]` in the configuration nothing else is looked for. Without, whatever is found is used, and looked for
again as long as there is nothing better than the built-in model.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot.config import Config
from providers import starter
from providers.client import ModelClient
from providers.discovery import keys_in_environment, probe_local
from providers.registry import Catalog, FoundProvider
from providers.settings import ProviderSettings

log = logging.getLogger(__name__)

STARTER = "starter"
_LOOK_EVERY = 60.0
LOOK_AGAIN = 5.0
"""Seconds within which a message does not make us look once more."""

Look = Callable[[Mapping[str, str]], Awaitable[Sequence[FoundProvider]]]


async def look_around(env: Mapping[str, str]) -> list[FoundProvider]:
    """Everything on this machine that can answer, in the order in which it is preferred."""
    return [*await probe_local(env), *keys_in_environment(env), *_built_in()]


class Discovery:
    """`choice` is one sentence for the person who wonders why these models answer."""

    def __init__(self, config: Config, env: Mapping[str, str], look: Look = look_around) -> None:
        self.choice = ""
        self._config = config
        self._env = env
        self._look = look
        self._models: ModelClient | None = None
        self._looked_at = float("-inf")

    async def follow(self, config: Config) -> Catalog:
        """Go by another configuration from now on; returns what there is by it."""
        self._config = config
        return await self.catalog()

    async def catalog(self) -> Catalog:
        """What there is now; sets `choice`."""
        config = self._config
        base = Catalog.of(config.providers, config.models, config.roles.given, config.fallback, self._env)
        if config.providers:
            self.choice = f"from the configuration: {', '.join(config.providers)}"
            return base
        self._looked_at = time.monotonic()
        found = await self._look(self._env)
        self.choice = (
            "; ".join(one.why for one in found) or "no local server, no key, no built-in model was found"
        )
        return base.adopting(found)

    def attach(self, models: ModelClient) -> None:
        self._models = models

    def poor(self) -> bool:
        """Whether there is nothing to answer with but the built-in model, if that."""
        models = self._models
        return models is not None and all(c.info.tiny for c in models.candidates("reasoning"))

    async def look_again(self) -> None:
        """Look for something better, where there is reason to and we did not just do so."""
        if self._config.providers or not self.poor() or time.monotonic() - self._looked_at < LOOK_AGAIN:
            return
        assert self._models is not None  # noqa: S101 -- `poor` says so
        before = set(self._models.catalog.providers)
        catalog = await self.catalog()
        if set(catalog.providers) != before:
            log.info("models: %s", self.choice)
            await self._models.adopt(catalog)

    async def watch(self) -> None:
        """Look again every minute, for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            await self.look_again()


def _built_in() -> list[FoundProvider]:
    if starter.missing():
        return []
    settings = ProviderSettings(kind=STARTER, default_model=starter.MODEL)
    return [FoundProvider(STARTER, settings, (starter.INFO,), why="the built-in starter model is installed")]

"""What is known of names and models now: the current catalog and router, and what servers and failures add to
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from providers import catalogue
from providers.errors import Loading, ProviderError, Unreachable
from providers.registry import Catalog, Registry
from providers.retirement import Retirements
from providers.router import Candidate, ModelRouter
from providers.types import ModelInfo, Route

ASK_AGAIN = 30.0
"""Seconds until a local server that could not be asked for its models is asked again."""
LISTED_FOR = 60.0
"""Seconds for which what a local server told counts; of a model that it has yet to load, `ASK_AGAIN`."""
ASK_FOR = 3.0
"""The longest that a server may take to tell of its models, in seconds."""


class Knowledge:
    def __init__(self, catalog: Catalog, registry: Registry, now: Callable[[], float]) -> None:
        self.router = ModelRouter(catalog)
        self._registry = registry
        self._now = now
        self.retirements = Retirements()
        self._asked: dict[str, float] = {}

    @property
    def catalog(self) -> Catalog:
        return self.router.catalog

    def replace(self, catalog: Catalog) -> None:
        """Use another catalog from now on; walks under way keep the candidates that they have."""
        retired = self.retirements.routes
        self.router = ModelRouter(catalog if catalog.retired == retired else catalog.retiring(retired))

    def retire(self, route: Route) -> None:
        """Note that a server knows no such model any more; of free ones that is remembered."""
        if self.retirements.note(route, self._now()):
            self.replace(self.catalog)

    def stock(
        self, provider: str, kept: object, measured: Mapping[Route, tuple[int, int]], *, fresh: bool
    ) -> tuple[str, ...]:
        """Use a list of a gateway's models; `fresh` says that it was just fetched. Returns its free ones, best
        first.
        """
        now = self._now()
        entries = catalogue.parse(kept)
        if fresh:
            self.retirements.relist(provider, [entry.info.id for entry in entries], now)
        free = catalogue.ranked(provider, entries, measured, datetime.fromtimestamp(now, UTC).date())
        if provider in self.catalog.providers:
            self.replace(self.catalog.stocked(provider, [entry.info for entry in entries], free))
        return free

    def teach(
        self,
        route: Route,
        *,
        tools: bool | None = None,
        context_window: int | None = None,
        vision: bool | None = None,
    ) -> None:
        """Note what a failure said of a model."""
        if route.provider in self.catalog.providers:
            learnt = self.catalog.learning(route, tools=tools, context_window=context_window, vision=vision)
            self.replace(learnt)

    def refreshed(self, candidate: Candidate) -> Candidate:
        """The candidate with what is known of it by now, and a model's name in the place of "whichever it
        serves".
        """
        provider = candidate.route.provider
        if provider not in self.catalog.providers:
            return candidate
        route = Route(provider, candidate.route.model or self.catalog.default_model(provider))
        return Candidate(route, self.catalog.info(route), candidate.local)

    def needs_asking(self, candidate: Candidate) -> bool:
        """Whether its server should say first which models it has, how large their windows are and if they
        use tools. What a local one said counts for a while: it may be started anew with another model.
        """
        provider, now = candidate.route.provider, self._now()
        if provider not in self.catalog.providers or not candidate.route.model:
            return provider in self.catalog.providers
        if not candidate.local:
            return False
        good_for = ASK_AGAIN
        if provider in self.catalog.listed:
            self._asked.setdefault(provider, now)
            good_for = ASK_AGAIN if candidate.info.loaded is False else LISTED_FOR
        asked = self._asked.get(provider)
        return asked is None or not 0 <= now - asked < good_for

    def doubt(self, provider: str) -> None:
        """A local server was gone, or lacks a model that it had: what it told may hold no longer."""
        if provider in self.catalog.listed:
            self._asked[provider] = float("-inf")
            self.replace(self.catalog.unlearning(provider))

    async def ask(self, candidate: Candidate, key: int = 0) -> None:
        """Ask the candidate's server for its models, for at most `ASK_FOR` seconds.

        Raises `ProviderError` where that shows that calling it is useless: it can't be reached, is loading,
        or no model's name is known. A server that doesn't tell is not asked again; where it told before, that
        still counts.
        """
        provider = candidate.route.provider
        self._asked[provider] = self._now()
        models: Sequence[ModelInfo] = self.catalog.listed.get(provider, ())
        needed = not candidate.route.model
        try:
            with self._registry.lease(provider, self.catalog.providers[provider], key) as live:
                async with asyncio.timeout(ASK_FOR):
                    models = await live.models()
        except TimeoutError:
            if needed:
                raise Unreachable(f"did not tell its models within {ASK_FOR:.0f} s") from None
        except ProviderError as error:
            if needed or isinstance(error, Loading) or (isinstance(error, Unreachable) and not models):
                raise
        self.replace(self.catalog.listing(provider, models))

"""Looks whether what failed is back, so that no message has to find that out. Spends nothing at providers that cost
money: their list of models proves that the server is there and takes the key, and nothing of single models, which
are left to the next call. A server at home answers one token besides, which proves its model too.

It goes through the same door as every call, so that there is never more than one where one is allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from providers import errors
from providers.base import CountsFreeCalls
from providers.errors import (
    BadAnswer,
    Empty,
    Loading,
    OutOfMoney,
    Overloaded,
    ProviderError,
    Stalled,
    Unreachable,
)
from providers.health import RESTS, ScopeState, owner, scopes
from providers.means import Means
from providers.presets import preset_for
from providers.quota import COUNTING
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Completion, Message, ModelInfo, Route

SPACING = (30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds between two looks at what stays broken until a person acts."""
LIST_WITHIN = 15.0
ANSWER_WITHIN = 120.0
"""Seconds; a server at home may load its model first."""

_ONE_TOKEN = ChatRequest((Message("user", "Say OK."),), max_tokens=1, timeout=ANSWER_WITHIN)


@dataclass(frozen=True, slots=True)
class Look:
    """One provider to look at, with one of its keys. `local`: its models are asked for a word, those named, else the
    one that stands for the provider.
    """

    provider: str
    key: int
    local: bool = False
    models: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, str]:
        known = scopes(Route(self.provider, ""), self.key)
        return known["provider"], known["credential"]


@dataclass(slots=True)
class _Patience:
    """How often it was looked at a scope whose rest is our own guess, and when it is next."""

    looks: int
    next_at: float

    def looked(self, now: float) -> None:
        self.looks += 1
        self.next_at = now + SPACING[min(self.looks, len(SPACING) - 1)]


class Prober:
    def __init__(self, means: Means) -> None:
        self._means = means
        self._patience: dict[str, _Patience] = {}

    async def look(self, told: Iterable[Route] = ()) -> None:
        """Look at everything that failed, where it is time to; `told` are routes whose failure somebody was told of,
        which are looked at too where nothing is known of them since the start.
        """
        health, now = self._means.health, self._means.now()
        doubtful = {scope for scope in health.doubtful() if self._due(scope, health.state(scope), now)}
        self._patience = {scope: p for scope, p in self._patience.items() if health.state(scope).needs_owner}
        unknown = {route for route in told if not health.asked(route.provider)}
        if not doubtful and not unknown:
            return
        for scope in doubtful & self._patience.keys():
            self._patience[scope].looked(now)
        looks = list(self._looks(doubtful, unknown, now))
        for scope in {scope for look in looks for scope in look.places if health.state(scope).doubtful}:
            health.take(scope, now)
        async with asyncio.TaskGroup() as group:
            for look in looks:
                group.create_task(self._at(look))

    def _due(self, scope: str, state: ScopeState, now: float) -> bool:
        """Whether it is time to look at a scope of which nobody knows that it works."""
        if state.deaf and state.error != Unreachable.__name__:
            return False
        rest = state.rest(scope, now)
        if rest is not None and rest.probing:
            return False
        if not state.needs_owner:
            return rest is None
        if state.error == OutOfMoney.__name__:
            return False  # servers list their models to those without money, too
        patience = self._patience.setdefault(scope, _Patience(0, now + SPACING[0]))
        if state.until - now > _rest_of(state.error):  # longer than by our own rules: the server's word
            patience.next_at = max(patience.next_at, state.until)
        return patience.next_at <= now

    def _looks(self, doubtful: set[str], unknown: set[Route], now: float) -> Iterator[Look]:
        for name in self._means.knowledge.catalog.providers:
            mine = {scope for scope in doubtful if owner(scope) == name}
            asked_for = [route.model for route in unknown if route.provider == name]
            if mine or asked_for:
                yield from self._looks_at(name, mine, asked_for, now)

    def _looks_at(self, name: str, mine: set[str], asked_for: list[str], now: float) -> Iterator[Look]:
        health, catalog = self._means.health, self._means.knowledge.catalog
        keys = range(max(1, len(catalog.providers[name].keys)))
        provider, _ = Look(name, 0).places
        credentials = {key: Look(name, key).places[1] for key in keys}
        if provider not in mine and health.state(provider).rest(provider, now) is not None:
            return  # its time has not come
        suspects = [key for key in keys if credentials[key] in mine]
        others = [key for key in keys if not health.state(credentials[key]).needs_owner]
        first = (*suspects, *others, 0)[0]
        if catalog.local(name):
            failed = [scope.partition("/")[2] for scope in sorted(mine) if scope.startswith("model:")]
            models = tuple(dict.fromkeys(model for model in (*failed, *asked_for) if model))
            yield Look(name, first, local=True, models=models)
        elif provider in mine or suspects or asked_for:
            yield from (Look(name, key) for key in suspects or [first])

    async def _at(self, look: Look) -> None:
        settings = self._means.knowledge.catalog.providers[look.provider]
        models: tuple[str, ...] = ()
        try:
            found = await self._listed(look, settings)
            if found is None and look.local:
                models = look.models or (self._means.knowledge.catalog.default_model(look.provider),)
            if not any(models):
                self._judge(look, found)
        finally:
            for scope in look.places:
                self._means.health.leave(scope)
        for model in filter(None, models):
            await self._answers(look, settings, model)

    async def _listed(self, look: Look, settings: ProviderSettings) -> ProviderError | None:
        """Have the server list its models, or tell what the key may do where the list is public; what went wrong."""
        preset = preset_for(look.provider, settings)
        try:
            with self._means.registry.lease(look.provider, settings, look.key) as live:
                async with asyncio.timeout(LIST_WITHIN):
                    if preset and preset.name == COUNTING and isinstance(live, CountsFreeCalls):
                        await live.free_calls()
                        return None
                    models = await live.models()
        except TimeoutError:
            return Unreachable(f"did not tell its models within {LIST_WITHIN:.0f} s")
        except ProviderError as error:
            return error
        if look.local:
            self._learn(look.provider, settings, models)
        return None

    def _learn(self, provider: str, settings: ProviderSettings, models: Iterable[ModelInfo]) -> None:
        """A server at home may have come back with another model."""
        knowledge = self._means.knowledge
        if knowledge.catalog.providers.get(provider) == settings:
            knowledge.replace(knowledge.catalog.listing(provider, tuple(models)))

    def _judge(self, look: Look, error: ProviderError | None) -> None:
        provider, credential = look.places
        health, now = self._means.health, self._means.now()
        if error is None:
            health.settle(provider, None, now)
            if health.state(credential).error != OutOfMoney.__name__:
                health.settle(credential, None, now)
        elif error.scope == "credential":
            health.settle(provider, None, now)
            health.settle(credential, error, now)
        elif isinstance(error, Loading):
            pass
        elif error.scope == "provider" or isinstance(error, BadAnswer | Overloaded):
            health.settle(provider, error, now)
        else:
            health.settle(provider, None, now)  # it refused, so it is there

    async def _answers(self, look: Look, settings: ProviderSettings, model: str) -> None:
        """Ask a model at home for one token."""
        means = self._means
        route = Route(look.provider, model)
        if means.health.admit(route, means.now(), look.key) is not None:
            return
        error: ProviderError | None = None
        reported = False
        try:
            with means.registry.lease(look.provider, settings, look.key) as live:
                async with asyncio.timeout(ANSWER_WITHIN), aclosing(live.stream(model, _ONE_TOKEN)) as events:
                    async for event in events:
                        if isinstance(event, Completion):
                            break
            reported = True
        except TimeoutError:
            error, reported = Stalled(f"no answer within {ANSWER_WITHIN:.0f} s"), True
        except Empty as empty:
            # One token of a model that thinks is none to show.
            known = means.health.state(scopes(route, look.key)["model"]).error
            error, reported = empty if known == Empty.__name__ else None, True
        except ProviderError as failure:
            error, reported = failure, True
        finally:
            if reported:
                means.health.record(route, error, means.now(), look.key)
            else:
                means.health.release(route, look.key)


def _rest_of(error: str) -> float:
    """How long our own rules let a scope rest for this class of error."""
    kind = getattr(errors, error, ProviderError)
    return next((seconds for known, seconds in RESTS.items() if issubclass(kind, known)), 0.0)

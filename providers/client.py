"""What the rest of the program asks for an answer: `ModelClient`, by a role's, alias's or model's name."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from providers.base import StateStore
from providers.errors import NoModel
from providers.health import Rest, owner
from providers.knowledge import Knowledge
from providers.lineup import Means
from providers.refs import Resolution
from providers.registry import Catalog, Registry
from providers.router import Candidate
from providers.settings import ProviderSettings
from providers.types import ChatReply, ChatRequest, ClientEvent, ModelInfo
from providers.walk import Walk


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One provider for `nanobot status`; `model` is its default one, "" where the server was not asked yet."""

    name: str
    kind: str
    address: str
    local: bool
    model: str
    models: tuple[ModelInfo, ...]
    rests: tuple[Rest, ...]


class ModelClient:
    """Asks the candidates behind a name until one answers. Lives in one event loop; holds all connections.

    `store` keeps rests and breakers over a restart (see `restore` and `flush_state`). `clock` is wall-clock
    time in seconds since the epoch.
    """

    def __init__(
        self,
        catalog: Catalog,
        registry: Registry | None = None,
        store: StateStore | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        registry = registry or Registry()
        self._store = store
        self._means = Means(registry, Knowledge(catalog, registry, clock), clock, sleep, random.random)

    @property
    def catalog(self) -> Catalog:
        """Everything known now, what servers and failures taught included."""
        return self._means.knowledge.catalog

    async def stream(self, name: str, request: ChatRequest) -> AsyncGenerator[ClientEvent, None]:
        """Ask the candidates of `name` in order. Yields deltas, a `Restart` for each stream that died after
        text was shown, and the `ChatReply` as the last event.

        `name` may be a `provider/model`, which then is the only candidate unless a chain is configured for
        it. Raises `UnknownName`, and `NoModel` with every attempt where nobody answered, or one refused in a
        way that no other candidate may answer either. Close the generator to cancel: that counts as nobody's
        failure.
        """
        try:
            async with aclosing(Walk(self._means, name, request).events()) as events:
                async for event in events:
                    yield event
        except NoModel:
            await self.flush_state()
            raise
        await self.flush_state()

    async def chat(self, name: str, request: ChatRequest) -> ChatReply:
        """The reply alone, for callers that show no deltas. Raises as `stream` does."""
        reply: ChatReply | None = None
        async with aclosing(self.stream(name, request)) as events:
            async for event in events:
                if isinstance(event, ChatReply):
                    reply = event
        if reply is None:
            raise NoModel(())
        return reply

    def resolve(self, name: str) -> Resolution:
        """What `name` stands for, and how that came about. Raises `UnknownName`."""
        return self._means.knowledge.router.resolve(name)

    def candidates(self, name: str) -> tuple[Candidate, ...]:
        """The models that `name` stands for, in order, with what is known of them now. Raises `UnknownName`."""
        return self._means.knowledge.router.candidates(name)

    def choices(self) -> tuple[str, ...]:
        """The names that a person may choose a model by."""
        return self._means.knowledge.router.names()

    def resting(self, name: str) -> tuple[tuple[Candidate, Rest], ...]:
        """The candidates of `name` that are passed over now, and why. Raises `UnknownName`."""
        now = self._means.now()
        checked = ((c, self._means.health.check(c.route, now)) for c in self.candidates(name))
        return tuple((candidate, rest) for candidate, rest in checked if rest)

    def status(self) -> tuple[ProviderStatus, ...]:
        """Every provider with its models and what of it rests now."""
        rests = self._means.health.resting(self._means.now())
        catalog = self.catalog
        return tuple(
            ProviderStatus(
                name,
                settings.kind or "",
                settings.api_base or "",
                catalog.local(name),
                catalog.default_model(name),
                tuple(catalog.listed.get(name, ())),
                tuple(rest for rest in rests if owner(rest.scope) == name),
            )
            for name, settings in catalog.providers.items()
        )

    async def adopt(self, catalog: Catalog) -> None:
        """Use another catalog from now on. Unchanged providers keep their connections, rests and what was
        learned of them; changed ones start afresh, the old ones' calls end undisturbed.
        """
        old = self.catalog
        for name, settings in catalog.providers.items():
            if name in old.providers and old.providers[name] != settings:
                self._means.health.forget(name)
        self._means.knowledge.replace(catalog.inheriting(old))
        await self._means.registry.keep(catalog)

    async def restore(self) -> None:
        """Take up the rests and breakers that `store` kept, but for providers whose key or address has
        changed since.
        """
        if self._store is None:
            return
        states = await self._store.load()
        self._means.health.restore(states, self._marks(), self._means.now())

    async def flush_state(self) -> None:
        """Store what changed since the last time; nothing to do after an ordinary answer."""
        await self._means.registry.sweep()
        changes = self._means.health.changes(self._means.now())
        if self._store is None or not changes:
            return
        marks = self._marks()
        for scope, state in changes.items():
            await self._store.save(scope, {**state, "of": marks.get(owner(scope), "")} if state else {})

    async def aclose(self) -> None:
        """Store what is left to store and close all connections. May be called twice."""
        try:
            await self.flush_state()
        finally:
            await self._means.registry.aclose()

    def _marks(self) -> dict[str, str]:
        return {name: _mark(settings) for name, settings in self.catalog.providers.items()}


def _mark(settings: ProviderSettings) -> str:
    """Tells whether the address or the key is another one than when a rest was stored; gives neither away."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return hashlib.sha256(f"{settings.api_base}\n{key}".encode()).hexdigest()[:12]

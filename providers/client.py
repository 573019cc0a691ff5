"""What the rest of the program asks for an answer: `ModelClient`, by a role's, alias's or model's name."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from providers import accounts
from providers.base import StateStore
from providers.budget import Standing
from providers.calendar import PERIODS, begin
from providers.errors import NoModel
from providers.health import Rest, holder, keyed, owner
from providers.knowledge import Knowledge
from providers.ledger import Ledger
from providers.means import Means
from providers.openrouter import Fetched, OpenRouter
from providers.presets import preset_for
from providers.probe import Prober
from providers.refs import Resolution
from providers.registry import Catalog, Registry, usable
from providers.retirement import is_retirement
from providers.router import Candidate
from providers.settings import Limits, ProviderSettings
from providers.sound import TRANSCRIPTION, Recording, Speech, Transcript, Utterance
from providers.types import ChatReply, ChatRequest, ClientEvent, ModelInfo, Route, Tier
from providers.walk import Walk
from providers.ways import Chat, Hearing, Speaking, Way

SPEECH = "speech"
"""What speaking is booked to."""
TOKENS_A_SECOND = 20
"""Of sound, at most, where a model counts it in tokens: OpenAI's page "Pricing"."""


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
    keys: int = 0
    asked: bool = False
    """Whether a call to it has ended since the start."""


class ModelClient:
    """Asks the candidates behind a name until one answers. Lives in one event loop; holds all connections.

    `store` keeps rests and breakers over a restart (see `restore` and `flush_state`). `clock` is wall-clock
    time in seconds since the epoch. `limits` say what may be spent, `ledger` keeps what was.
    """

    def __init__(  # noqa: PLR0913 -- what it works with; each has its default
        self,
        catalog: Catalog,
        registry: Registry | None = None,
        store: StateStore | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        limits: Limits | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        registry = registry or Registry()
        self._store = store
        self._means = Means(registry, Knowledge(catalog, registry, clock), clock, sleep, random.random)
        self._means.ledger = ledger or self._means.ledger
        self._limit(limits or Limits())
        self._prober = Prober(self._means)

    @property
    def catalog(self) -> Catalog:
        """Everything known now, what servers and failures taught included."""
        return self._means.knowledge.catalog

    def stream(self, name: str, request: ChatRequest) -> AsyncGenerator[ClientEvent, None]:
        """Ask the candidates of `name` in order. Yields deltas, a `Restart` for each stream that died after
        text was shown, and the `ChatReply` as the last event.

        `name` may be a `provider/model`, which then is the only candidate unless a chain is configured for
        it. Raises `UnknownName`, and `NoModel` with every attempt where nobody answered, or one refused in a
        way that no other candidate may answer either. Close the generator to cancel: that counts as nobody's
        failure.
        """
        return self._walk(name, request, Chat())

    async def chat(self, name: str, request: ChatRequest) -> ChatReply:
        """The reply alone, for callers that show no deltas. Raises as `stream` does."""
        return await self._reply(self.stream(name, request))

    async def transcribe(self, recording: Recording, timeout: float) -> Transcript:  # noqa: ASYNC109 -- a request's
        """Have speech written down by the candidates of the role `transcription`, within so many seconds, and asked as
        for a chat. Raises as `stream` does; providers that can't hear are passed over.
        """
        way, request = Hearing(recording), _sound(TRANSCRIPTION, recording.seconds, timeout)
        reply = await self._reply(self._walk(TRANSCRIPTION, request, way))
        return Transcript(way.heard.text, way.heard.language, reply.route, reply.path, reply.usd)

    async def speak(self, name: str, utterance: Utterance, timeout: float) -> Speech:  # noqa: ASYNC109 -- as above
        """Have a text spoken by the candidates of `name`. Raises as `stream` does."""
        way, request = Speaking(utterance), _sound(SPEECH, utterance.seconds, timeout)
        reply = await self._reply(self._walk(name, request, way))
        return Speech(way.spoken.data, way.spoken.media_type, reply.route, reply.path, reply.usd)

    def resolve(self, name: str) -> Resolution:
        """What `name` stands for, and how that came about. Raises `UnknownName`."""
        return self._means.knowledge.router.resolve(name)

    def candidates(self, name: str) -> tuple[Candidate, ...]:
        """The models that `name` stands for, in order, with what is known of them now. Raises `UnknownName`."""
        return self._means.knowledge.router.candidates(name)

    def tier(self, route: str) -> Tier:
        """How far the model of a `provider/model` is to be trusted; weak where nothing is known of it."""
        provider, _, model = route.partition("/")
        return (
            self.catalog.info(Route(provider, model)).tier if provider in self.catalog.providers else "weak"
        )

    def gateways(self) -> tuple[str, ...]:
        """The providers that publish a list with prices (`catalogue`) and may be asked for it."""
        known = self.catalog.providers.items()
        return tuple(
            name
            for name, settings in known
            if (preset := preset_for(name, settings)) and preset.catalogue and usable(name, settings)
        )

    async def catalogue(self, provider: str, etag: str = "") -> Fetched | None:
        """Ask a gateway for its list; None where it is still what `etag` stands for. Raises `ProviderError`."""
        gateway = OpenRouter(self.catalog.providers[provider].with_key(0), clock=self._means.now)
        try:
            return await gateway.models(etag)
        finally:
            await gateway.aclose()

    def stock(
        self,
        provider: str,
        kept: object,
        measured: Mapping[Route, tuple[int, int]],
        *,
        fresh: bool = False,
    ) -> tuple[str, ...]:
        """Use a gateway's list (`Fetched.models`) from now on; `fresh` says that it was just fetched. `measured`
        ranks: see `providers.catalogue.ranked`. Returns the ids of its free models, best first.
        """
        return self._means.knowledge.stock(provider, kept, measured, fresh=fresh)

    async def ask(self, provider: str) -> None:
        """Have a provider's server list its models now. Raises `ProviderError`."""
        local = self.catalog.local(provider)
        await self._means.knowledge.ask(Candidate(Route(provider, ""), ModelInfo(""), local))

    def choices(self) -> tuple[str, ...]:
        """The names that a person may choose a model by."""
        return self._means.knowledge.router.names()

    def resting(self, name: str) -> tuple[tuple[Candidate, Rest], ...]:
        """The candidates of `name` that are passed over now with each of their keys, and why until the first one is
        back. Raises `UnknownName`.
        """
        health, now = self._means.health, self._means.now()
        resting: list[tuple[Candidate, Rest]] = []
        for candidate in self.candidates(name):
            keys = range(max(1, len(self.catalog.providers[candidate.route.provider].keys)))
            rests = [rest for key in keys if (rest := health.check(candidate.route, now, key))]
            if len(rests) == len(keys):
                resting.append((candidate, min(rests, key=lambda rest: rest.until)))
        return tuple(resting)

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
                len(settings.keys),
                self._means.health.asked(name),
            )
            for name, settings in catalog.providers.items()
        )

    def now(self) -> float:
        """The time by its clock, in seconds since the epoch."""
        return self._means.now()

    def standings(self) -> tuple[Standing, ...]:
        """How far each cap of `[limits]` is used now."""
        return self._means.budget.standings(self._means.now())

    async def adopt(self, catalog: Catalog, limits: Limits | None = None) -> None:
        """Use another catalog, and other limits where given, from now on. Unchanged providers keep their
        connections, rests and what was learned of them; changed ones start afresh, the old ones' calls end
        undisturbed. Where only keys changed, the others keep their rests.
        """
        old = self.catalog
        if limits is not None:
            self._limit(limits)
        for name, settings in catalog.providers.items():
            if name in old.providers and old.providers[name] != settings:
                self._means.health.forget(_gone(name, old.providers[name], settings))
        self._means.knowledge.replace(catalog.inheriting(old))
        await self._means.registry.keep(catalog)

    async def restore(self) -> None:
        """Take up what was spent this month, and the rests and breakers that `store` kept, but for providers whose
        key or address has changed since.
        """
        now = self._means.now()
        for period in PERIODS:
            spent = await self._means.ledger.spent(begin(period, now))
            self._means.budget.load(period, spent, now)
        if self._store is None:
            return
        states = await self._store.load()
        self._means.knowledge.retirements.restore(states)
        self._means.knowledge.replace(self.catalog)
        states = {scope: state for scope, state in states.items() if not is_retirement(scope)}
        self._means.health.restore(states, self._marks(), self._means.now())

    async def probe(self, told: Iterable[str] = ()) -> None:
        """Look whether what failed is back, where it is time to, without spending anything (see `providers.probe`).
        `told` are routes of whose failure somebody was told.
        """
        await self._prober.look(_route(name) for name in told)
        await self.refresh_accounts()

    def well(self, route: str) -> bool:
        """Whether a `provider/model` (or a provider, whichever model it serves) may be called, and nothing of it
        failed when it was last heard of.
        """
        wanted = _route(route)
        settings = self.catalog.providers.get(wanted.provider)
        if settings is None:
            return False
        wanted = Route(wanted.provider, wanted.model or self.catalog.default_model(wanted.provider))
        health, now = self._means.health, self._means.now()
        return any(health.well(wanted, now, key) for key in range(max(1, len(settings.keys))))

    async def refresh_accounts(self) -> None:
        """Ask the providers that count an account's free calls (OpenRouter) for their own count, where it may have
        moved away from ours. Spends nothing. A server that doesn't tell is asked again the next time.
        """
        await accounts.refresh(self._means)
        await self.flush_state()

    async def flush_state(self) -> None:
        """Store what changed since the last time; nothing to do after an ordinary answer."""
        await self._means.registry.sweep()
        changes = self._means.health.changes(self._means.now())
        retired = self._means.knowledge.retirements.changes()
        if self._store is None or not (changes or retired):
            return
        for scope, since in retired.items():
            await self._store.save(scope, since)
        marks = self._marks()
        for scope, state in changes.items():
            await self._store.save(scope, {**state, "of": marks.get(holder(scope), "")} if state else {})

    async def aclose(self) -> None:
        """Store what is left to store and close all connections. May be called twice."""
        try:
            await self.flush_state()
        finally:
            await self._means.registry.aclose()

    async def _walk(self, name: str, request: ChatRequest, way: Way) -> AsyncGenerator[ClientEvent, None]:
        try:
            async with aclosing(Walk(self._means, name, request, way).events()) as events:
                async for event in events:
                    yield event
        except NoModel:
            await self.flush_state()
            raise
        await self.flush_state()

    async def _reply(self, walk: AsyncGenerator[ClientEvent, None]) -> ChatReply:
        reply: ChatReply | None = None
        async with aclosing(walk) as events:
            async for event in events:
                if isinstance(event, ChatReply):
                    reply = event
        if reply is None:
            raise NoModel(())
        return reply

    def _limit(self, limits: Limits) -> None:
        self._means.limits = limits
        self._means.budget.limit(limits)

    def _marks(self) -> dict[str, str]:
        return {
            holding: mark
            for name, settings in self.catalog.providers.items()
            for holding, mark in _marks_of(name, settings).items()
        }


def _sound(role: str, seconds: float, timeout: float) -> ChatRequest:
    """The request as limits and the ledger see it."""
    return ChatRequest(
        (), max_tokens=int(seconds * TOKENS_A_SECOND) + 1, timeout=timeout, role=role, seconds=seconds
    )


def _route(text: str) -> Route:
    provider, _, model = text.partition("/")
    return Route(provider, model)


def _marks_of(name: str, settings: ProviderSettings) -> dict[str, str]:
    """For each key (see `health.keyed`) what tells whether it or the rest of the set-up is another one than when a
    rest was stored; gives neither away.
    """
    setup = f"{settings.kind}\n{settings.api_base}\n{settings.anonymous}"
    keys = [key.get_secret_value() for key in settings.keys] or [""]
    return {
        keyed(name, index): hashlib.sha256(f"{setup}\n{key}".encode()).hexdigest()[:12]
        for index, key in enumerate(keys)
    }


def _gone(name: str, old: ProviderSettings, new: ProviderSettings) -> set[str]:
    """The keys whose rests mean nothing any more: those that changed, or all where anything else did."""
    before, after = _marks_of(name, old), _marks_of(name, new)
    keyless: dict[str, object] = {"api_key": None, "api_keys": []}
    if old.model_copy(update=keyless) != new.model_copy(update=keyless):
        return {*before, *after}
    return {holding for holding in {*before, *after} if before.get(holding) != after.get(holding)}

"""What is configured or found (`Catalog`, a value) and the live providers behind it (`Registry`).

Nothing registers itself: an adapter is the module `providers.adapters.<kind>`, imported when first called.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import providers.adapters
from providers import catalogue, refs
from providers.base import Provider, ProviderSpec
from providers.errors import Misconfigured
from providers.presets import PRESETS, complete, is_local, preset_for, privacy_line
from providers.settings import ModelSettings, ProviderSettings
from providers.types import ModelInfo, Route

T = TypeVar("T")

OWN_PROCESS = ("starter", "llamacpp")
"""Kinds whose server we run ourselves."""
_NO_SETTINGS = ModelSettings()


@dataclass(frozen=True, slots=True)
class FoundProvider:
    """A provider that nobody configured: a local server that answered, or a key in the environment.

    `why` is one sentence for the person who wonders. `models` is empty where the server was not asked or is
    `loading`.
    """

    name: str
    settings: ProviderSettings
    models: tuple[ModelInfo, ...] = ()
    why: str = ""
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every provider, alias, role and chain, and what their servers told of their models. A value: changes
    make new ones.
    """

    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    fallback: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    listed: Mapping[str, tuple[ModelInfo, ...]] = field(default_factory=dict)
    """What each server listed when it was asked."""
    learned: Mapping[Route, ModelInfo] = field(default_factory=dict)
    """What failures taught of single models (no tools, a smaller window); stands above what was listed."""
    free_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By provider, the ids of its free models that can use tools, the best first, as its catalogue has them."""
    retired: frozenset[Route] = frozenset()
    """Free models that are gone, whatever is listed."""

    @classmethod
    def of(
        cls,
        providers: Mapping[str, ProviderSettings],
        aliases: Mapping[str, str] | None = None,
        roles: Mapping[str, str] | None = None,
        fallback: Mapping[str, Sequence[str]] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Catalog:
        """From the sections `[providers]`, `[models]`, `[roles]` and `[fallback]`; `env` supplies presets'
        missing keys.
        """
        return cls(
            {name: complete(name, settings, env or {}) for name, settings in providers.items()},
            dict(aliases or {}),
            dict(roles or {}),
            {name: tuple(chain) for name, chain in (fallback or {}).items()},
        )

    def adopting(self, found: Iterable[FoundProvider]) -> Catalog:
        """With newly found providers added at the end; one of a known name or address only gets its models
        updated.
        """
        known = dict(self.providers)
        listed = dict(self.listed)
        bases = {settings.api_base: name for name, settings in known.items() if settings.api_base}
        for one in found:
            settings = complete(one.name, one.settings, {})
            name = bases.get(settings.api_base, one.name) if settings.api_base else one.name
            known.setdefault(name, settings)
            if one.models:
                listed[name] = one.models
        return replace(self, providers=known, listed=listed)

    def listing(self, provider: str, models: Sequence[ModelInfo]) -> Catalog:
        """With what this provider's server just listed."""
        return replace(self, listed={**self.listed, provider: tuple(models)})

    def stocked(self, provider: str, models: Sequence[ModelInfo], free: Sequence[str]) -> Catalog:
        """With the catalogue of a provider: all its `models`, and the `free` ones, best first."""
        return replace(
            self.listing(provider, models), free_models={**self.free_models, provider: tuple(free)}
        )

    def retiring(self, routes: Iterable[Route]) -> Catalog:
        """With exactly these models retired."""
        return replace(self, retired=frozenset(routes))

    def free_line(self, provider: str) -> tuple[str, ...]:
        """The free models of a gateway to ask, in order: the best of its catalogue, or without one what the preset
        names; at OpenRouter its own random choice last.
        """
        preset = preset_for(provider, self.providers[provider])
        named = tuple(m.id for m in preset.models if m.price and m.price.free) if preset else ()
        listed = self.listed.get(provider, ())
        known = self.free_models.get(provider) or named or free_among(listed)
        last = catalogue.FREE_ROUTER
        there = [m for m in known if Route(provider, m) not in self.retired and m != last]
        ending = (last,) if last in named and Route(provider, last) not in self.retired else ()
        return (*catalogue.pick(there), *ending)

    def free_provider(self) -> str | None:
        """The provider whose free models the name `free` stands for."""
        known = self.providers.items()
        return next((n for n, s in known if (p := preset_for(n, s)) and p.name == "openrouter"), None)

    def learning(
        self,
        route: Route,
        *,
        tools: bool | None = None,
        context_window: int | None = None,
        vision: bool | None = None,
    ) -> Catalog:
        """With what a failure taught of one model."""
        info = self.learned.get(route, ModelInfo(route.model))
        info = replace(
            info,
            tools=info.tools if tools is None else tools,
            context_window=context_window or info.context_window,
            vision=info.vision if vision is None else vision,
        )
        return replace(self, learned={**self.learned, route: info})

    def unlearning(self, provider: str) -> Catalog:
        """Without what failures taught of a provider's models."""
        return replace(self, learned={r: i for r, i in self.learned.items() if r.provider != provider})

    def inheriting(self, old: Catalog) -> Catalog:
        """With what `old` had learned of providers that are the same in both."""
        same = {name for name, settings in self.providers.items() if old.providers.get(name) == settings}
        return replace(
            self,
            listed={**{n: m for n, m in old.listed.items() if n in same}, **self.listed},
            learned={**{r: i for r, i in old.learned.items() if r.provider in same}, **self.learned},
            free_models={**{n: f for n, f in old.free_models.items() if n in same}, **self.free_models},
        )

    def info(self, route: Route) -> ModelInfo:
        """What is known of a model: the owner's word first, then what was learned, listed, and the preset's."""
        settings = self.providers[route.provider]
        preset = preset_for(route.provider, settings)
        told = (
            *((self.learned[route],) if route in self.learned else ()),
            *(m for m in self.listed.get(route.provider, ()) if m.id == route.model),
            *(m for m in (preset.models if preset else ()) if m.id == route.model),
            *(m for m in ((preset.hears, preset.speaks) if preset else ()) if m and m.id == route.model),
        )
        owner = settings.model_info.get(route.model, _NO_SETTINGS)
        price = owner.price.value() if owner.price else None
        said = (
            ModelInfo(
                route.model,
                owner.context_window,
                owner.tools,
                vision=owner.vision,
                thinks=True if owner.thinks is None and owner.thinking_tokens else owner.thinks,
                price=price,
            ),
            *told,
        )
        tiers = (owner.tier, *(m.tier for m in told if m.tier != "weak"))
        return ModelInfo(
            route.model,
            _first(m.context_window for m in said),
            _first(m.tools for m in said),
            _first(tiers) or "weak",
            any(m.tiny for m in told),
            _first(m.vision for m in said),
            _first(m.thinks for m in said),
            _first(m.price for m in said),
            _first(m.slots for m in said),
            _first(m.loaded for m in said),
        )

    def local(self, provider: str) -> bool:
        """Whether this provider is on this machine or its network, by its address. A gateway never is: what stands
        at such an address in its name only passes on.
        """
        settings = self.providers[provider]
        preset = preset_for(provider, settings)
        if preset is not None and preset.is_gateway:
            return False
        return is_local(settings.api_base) if settings.api_base else settings.kind in OWN_PROCESS

    def default_model(self, provider: str) -> str:
        """The owner's, the preset's strong one, the first configured or listed; "" where the server has to be
        asked.
        """
        settings = self.providers[provider]
        preset = preset_for(provider, settings)
        listed = self.listed.get(provider, ())
        if preset is not None and preset.catalogue and not settings.default_model and not settings.models:
            return next(iter(self.free_line(provider)), "")
        return (
            settings.default_model
            or (preset.strong if preset else "")
            or next(iter(settings.models), "")
            or next((m.id for m in listed if m.tools), "")
            or next((m.id for m in listed), "")
        )

    def hearing_model(self, provider: str) -> str:
        """The preset's that writes speech down; "" where none is known."""
        preset = preset_for(provider, self.providers[provider])
        return preset.hears.id if preset and preset.hears else ""

    def cheap_model(self, provider: str) -> str:
        """The preset's cheap one, unless the owner named a default or models of their own."""
        settings = self.providers[provider]
        preset = preset_for(provider, settings)
        if preset is None or settings.default_model or settings.models:
            return self.default_model(provider)
        if preset.catalogue:
            return next(iter(self.free_line(provider)[1:]), self.default_model(provider))
        return preset.cheap or self.default_model(provider)

    def free(self, provider: str) -> bool:
        """Whether the models that the preset names cost nothing; nobody is billed where nobody has an account."""
        settings = self.providers[provider]
        preset = preset_for(provider, settings)
        unknown = settings.anonymous and not settings.keys
        return self.local(provider) or unknown or (preset is not None and preset.free)

    def names(self) -> refs.Names:
        return refs.Names(
            {name: self._known(name) for name in self.providers}, self.aliases, self.roles, self.fallback
        )

    def _known(self, name: str) -> refs.Known:
        settings = self.providers[name]
        preset = preset_for(name, settings)
        models = dict.fromkeys(
            (
                *settings.models,
                *((settings.default_model,) if settings.default_model else ()),
                *(m.id for m in self.listed.get(name, ())),
                *(m.id for m in (preset.models if preset else ())),
            )
        )
        return refs.Known(tuple(models), self.default_model(name), preset.bare_prefix if preset else "")


def free_among(models: Iterable[ModelInfo]) -> tuple[str, ...]:
    """The ids of those that can use tools and cost nothing, in their order."""
    return tuple(m.id for m in models if m.tools and m.price is not None and m.price.free)


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def kinds() -> tuple[str, ...]:
    """The adapter kinds there are, by listing the folder; imports none of them."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(providers.adapters.__path__)))


def load_spec(kind: str) -> ProviderSpec:
    """The `SPEC` of one adapter module. Raises `Misconfigured` where there is none of that kind."""
    if kind not in kinds():
        raise Misconfigured(f"there is no provider kind {kind!r}; kinds are: {', '.join(kinds())}")
    spec = importlib.import_module(f"providers.adapters.{kind}").SPEC
    if not isinstance(spec, ProviderSpec):
        raise Misconfigured(f"providers/adapters/{kind}.py exports no ProviderSpec as SPEC")
    return spec


def usable(name: str, settings: ProviderSettings) -> bool:
    """Whether completed settings say all that a provider needs: its address, its key, the owner's yes."""
    return not any(_settings_problems(name, settings))


def create(name: str, settings: ProviderSettings) -> Provider:
    """One live provider from completed settings. Raises `Misconfigured`."""
    for problem in _settings_problems(name, settings):
        raise Misconfigured(problem)
    return load_spec(settings.kind or "openai_compat").create(name, settings)


@dataclass(slots=True)
class _Live:
    provider: Provider
    settings: ProviderSettings
    leases: int = 0
    retired: bool = False


class Registry:
    """The live providers of a catalog, one for each key: made on first use, each keeps one connection pool until
    it is retired.
    """

    def __init__(self, make: Callable[[str, ProviderSettings], Provider] = create) -> None:
        self._make = make
        self._live: dict[tuple[str, int], _Live] = {}
        self._retired: list[_Live] = []

    @contextmanager
    def lease(self, name: str, settings: ProviderSettings, key: int = 0) -> Iterator[Provider]:
        """The provider with one of its keys, kept open while the block runs. Raises `Misconfigured` where it
        can't be made.
        """
        live = self._live.get((name, key))
        if live is None or live.settings != settings:
            self._retire((name, key))
            live = self._live[name, key] = _Live(self._make(name, settings.with_key(key)), settings)
        live.leases += 1
        try:
            yield live.provider
        finally:
            live.leases -= 1

    async def keep(self, catalog: Catalog) -> None:
        """Close what `catalog` no longer names or names differently; what is in use is closed later."""
        for name, key in list(self._live):
            if catalog.providers.get(name) != self._live[name, key].settings:
                self._retire((name, key))
        await self.sweep()

    async def sweep(self) -> None:
        """Close retired providers that nobody uses any more."""
        idle = [live for live in self._retired if live.leases == 0]
        self._retired = [live for live in self._retired if live.leases > 0]
        for live in idle:
            await live.provider.aclose()

    async def aclose(self) -> None:
        for leased in list(self._live):
            self._retire(leased)
        retired, self._retired = self._retired, []
        for live in retired:
            await live.provider.aclose()

    def _retire(self, leased: tuple[str, int]) -> None:
        live = self._live.pop(leased, None)
        if live is not None:
            self._retired.append(live)


def _settings_problems(name: str, settings: ProviderSettings) -> Iterator[str]:
    kind = settings.kind or "openai_compat"
    if kind not in kinds():
        yield f"providers.{name}.kind = {kind!r}: kinds are {', '.join(kinds())}"
        return
    preset = preset_for(name, settings)
    if (kind == "llamacpp") != (settings.gguf is not None):
        yield f'providers.{name}: gguf, a model\'s file, and kind = "llamacpp" belong together; one is missing'
    if settings.api_base is None and kind == "openai_compat":
        known = ", ".join(p for p, preset_ in PRESETS.items() if preset_.api_base)
        yield f"providers.{name}: needs api_base, since it is none of the known names ({known})"
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    if preset is not None and preset.needs_key and not key:
        yield f"providers.{name}: needs api_key (or {preset.env[0]} in the environment)"
    if preset is not None and preset.anonymous and not key and not settings.anonymous:
        yield f"providers.{name}: needs api_key, or anonymous = true; {privacy_line(preset.name)}"
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        yield f"providers.{name}.api_key: holds a space, a line break or another character that no key has"

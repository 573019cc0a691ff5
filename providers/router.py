"""From a name to the models that may answer, in order: the only place that turns a name into something to
call.

Where `[roles]` leaves a role open, a chain over everything known stands in (`automatic`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from providers import refs
from providers.catalogue import FREE_ROUTER
from providers.refs import Resolution
from providers.registry import Catalog
from providers.sound import TRANSCRIPTION
from providers.types import ModelInfo, Route

ROLES = ("reasoning", "rlm", "compaction", "reflection")
"""Those of models to talk to."""
_USUAL_ALIAS = {"reasoning": "main", "rlm": "rlm", "compaction": "memory", "reflection": "memory"}
"""An alias (or chain) of this name serves a role that `[roles]` leaves open."""


NOBODY_HEARS = (
    "role transcription is not set in [roles], and no provider here is known to write speech down; "
    "this machine may do it by itself: docs/VOICE.md"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model that may answer, with what is known of it."""

    route: Route
    info: ModelInfo
    local: bool


class ModelRouter:
    """Resolves names against one catalog; a change of either is a new router."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        chains = automatic(catalog)
        self._automatic = frozenset(chains)
        self._unwritten = frozenset(chains) - usual_names(catalog).keys()
        self._names = refs.Names(
            catalog.names().providers,
            catalog.aliases,
            {**{role: chain[0] for role, chain in chains.items()}, **catalog.roles},
            {**catalog.fallback, **chains},
            _free(catalog),
        )
        self._hearing = replace(self._names, providers=dict(_hearing(catalog, self._names.providers)))
        self._resolved: dict[str, tuple[Resolution, tuple[Candidate, ...]]] = {}

    def resolve(self, name: str) -> Resolution:
        """The routes of `name` and how they came about. Raises `UnknownName`."""
        return self._look_up(name)[0]

    def candidates(self, name: str) -> tuple[Candidate, ...]:
        """The models to try for `name`, in order, none twice; empty for a role when there is no provider at
        all.

        Raises `UnknownName`.
        """
        return self._look_up(name)[1]

    def unwritten(self, name: str) -> bool:
        """Whether nobody wrote the chain of this role: it is made of everything known."""
        return name in self._unwritten

    def names(self) -> tuple[str, ...]:
        """What a person may choose from: aliases, then every known `provider/model`."""
        models = (
            f"{provider}/{model}"
            for provider, known in self._names.providers.items()
            for model in dict.fromkeys((known.default, *known.models))
            if model
        )
        return tuple(dict.fromkeys((*self._names.aliases, *models)))

    def _look_up(self, name: str) -> tuple[Resolution, tuple[Candidate, ...]]:
        known = self._resolved.get(name)
        if known is None:
            known = self._resolved[name] = self._resolve(name.strip())
        return known

    def _resolve(self, name: str) -> tuple[Resolution, tuple[Candidate, ...]]:
        if name in ROLES and not self._names.providers and name not in self._names.roles:
            return Resolution(name, (), ("nothing is configured and nothing was found",)), ()
        known = (self._names.roles, self._names.fallback, self._names.aliases)
        if name == TRANSCRIPTION and not any(name in where for where in known):
            return Resolution(name, (), (NOBODY_HEARS,)), ()
        resolution = refs.resolve(name, self._hearing if name == TRANSCRIPTION else self._names)
        if name in self._automatic:
            steps = (
                f"role {name} is not set in [roles]: everything known is used, best first",
                *resolution.steps[1:],
            )
            resolution = Resolution(name, resolution.routes, steps)
        catalog = self.catalog
        return resolution, tuple(
            Candidate(route, catalog.info(route), catalog.local(route.provider))
            for route in resolution.routes
        )


def automatic(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """A chain for each role that neither `[roles]` nor an alias or chain of its usual name sets.

    Local servers come first, in the order in which they were found, then the keys' providers. For `reasoning`
    the strong model of a provider comes before a local model that is weak or unknown; the other roles take
    the local and cheap ones first, memory's roles the free ones before those. The built-in model is always
    last. A catalogue of free models gives its best where a preset has its two names. Speech is written down by
    the models that presets name for that.
    """
    usual = usual_names(catalog)
    chains: dict[str, tuple[str, ...]] = {}
    for role in ROLES:
        if role in catalog.roles or role in catalog.fallback or role in catalog.aliases:
            continue
        if role in usual:
            chains[role] = (usual[role], *catalog.fallback.get(usual[role], ()))
        elif catalog.providers:
            chains[role] = tuple(dict.fromkeys(_ordered(role, catalog)))
    hearing = tuple(_ref(p, model) for p in catalog.providers if (model := catalog.hearing_model(p)))
    if hearing and not any(
        TRANSCRIPTION in where for where in (catalog.roles, catalog.fallback, catalog.aliases)
    ):
        chains[TRANSCRIPTION] = hearing
    return chains


def _hearing(catalog: Catalog, known: Mapping[str, refs.Known]) -> Iterable[tuple[str, refs.Known]]:
    """Providers as the role of transcription sees them: a bare name means the model that hears."""
    for name, one in known.items():
        yield name, replace(one, default=catalog.hearing_model(name) or one.default)


def usual_names(catalog: Catalog) -> dict[str, str]:
    """The roles that an alias or chain of the owner serves by its name."""
    return {r: a for r, a in _USUAL_ALIAS.items() if a in catalog.aliases or a in catalog.fallback}


def _ordered(role: str, catalog: Catalog) -> Iterable[str]:
    built_in = [p for p, s in catalog.providers.items() if s.kind == "starter"]
    local = [p for p in catalog.providers if p not in built_in and catalog.local(p)]
    cloud = [p for p in catalog.providers if p not in built_in and p not in local]
    strong = [_ref(p, catalog.default_model(p)) for p in cloud]
    cheap = [ref for p in cloud for ref in _cheap(p, catalog)]
    if role == "reasoning":
        able = [p for p in local if _tier(p, catalog) != "weak"]
        small = [p for p in local if p not in able]
        yield from (_ref(p, catalog.default_model(p)) for p in able)
        yield from strong
        yield from (_ref(p, catalog.default_model(p)) for p in small)
        yield from cheap
    else:
        yield from (_ref(p, catalog.default_model(p)) for p in local)
        if role != "rlm":
            yield from (ref for p in cloud if catalog.free(p) for ref in _cheap(p, catalog))
        yield from cheap
        yield from strong
    yield from built_in


def _cheap(provider: str, catalog: Catalog) -> Iterable[str]:
    """The cheap model; of a catalogue all the free ones that it puts into a chain, the best of them late, since it
    has the conversation to do.
    """
    line = catalog.free_line(provider) if provider in catalog.free_models else ()
    if catalog.default_model(provider) in line:
        ending = line[-1:] if line[-1] == FREE_ROUTER else ()
        models = tuple(dict.fromkeys((*line[1 : len(line) - len(ending)], line[0], *ending)))
    else:
        models = (catalog.cheap_model(provider),)
    return (_ref(provider, model) for model in models)


def _free(catalog: Catalog) -> tuple[Route, ...]:
    provider = catalog.free_provider()
    return tuple(Route(provider, model) for model in catalog.free_line(provider)) if provider else ()


def _tier(provider: str, catalog: Catalog) -> str:
    return catalog.info(Route(provider, catalog.default_model(provider))).tier


def _ref(provider: str, model: str) -> str:
    return f"{provider}/{model}" if model else provider

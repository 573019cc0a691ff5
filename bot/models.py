"""What `nanobot models` and /model list: every model that could be asked now, with what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from providers import errors
from providers.client import ModelClient
from providers.errors import ProviderError, UnknownName
from providers.registry import usable
from providers.thrift import costs_nothing
from providers.types import Price, Route

ROLES = ("reasoning", "rlm", "compaction", "reflection", "transcription")
LONG = 40
"""A provider's list is shown whole up to this length, unless it is asked for by name."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model. `state` is ready, resting or unusable; `until` the time (epoch seconds) at which a resting one may be
    back, `reason` one line for a person. `roles` are those that it may answer for.
    """

    provider: str
    id: str
    context_window: int | None = None
    tools: bool | None = None
    vision: bool | None = None
    thinks: bool | None = None
    tier: str = "weak"
    price: Price | None = None
    free: bool = False
    roles: tuple[str, ...] = ()
    state: str = "ready"
    until: float | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """As a person chooses it."""
        return str(Route(self.provider, self.id))

    def as_json(self) -> dict[str, Any]:
        price = self.price and {"prompt": self.price.prompt, "completion": self.price.completion}
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in ("price", "roles")}
        return {**plain, "price": price, "roles": list(self.roles)}


@dataclass(frozen=True, slots=True)
class Listing:
    """`hidden` counts, by provider, the models that are left out because there are so many."""

    rows: tuple[Row, ...]
    hidden: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"models": [row.as_json() for row in self.rows], "hidden": self.hidden}


async def survey(models: ModelClient, provider: str = "") -> None:
    """Ask the servers that have not told yet which models they have, and `provider` in any case. One that doesn't
    answer stays as it is: it is known by its rest, or not at all.
    """
    catalog = models.catalog
    wanted = [
        name
        for name, settings in catalog.providers.items()
        if usable(name, settings)
        and name not in catalog.free_models
        and (name == provider or (name not in catalog.listed and not catalog.names().providers[name].models))
    ]

    async def ask(name: str) -> None:
        try:
            await models.ask(name)
        except ProviderError:
            return

    async with asyncio.TaskGroup() as group:
        for name in wanted:
            group.create_task(ask(name))


def listing(models: ModelClient, provider: str = "", *, free: bool = False) -> Listing:
    """All models, or one provider's, or only the free ones. Raises UnknownName for a provider that isn't there."""
    catalog = models.catalog
    if provider and provider not in catalog.providers:
        there = ", ".join(catalog.providers) or "none"
        raise UnknownName(provider, (f"no provider is called so; there are: {there}",))
    roles = _roles(models)
    rows: list[Row] = []
    hidden: dict[str, int] = {}
    for name in [provider] if provider else catalog.providers:
        everything = _ids(models, name, roles)
        shown = everything if provider or free else _short(models, name, everything, roles)
        found = [row for id_ in shown if (row := _row(models, Route(name, id_), roles)).free or not free]
        rows += found
        if len(shown) < len(everything):
            hidden[name] = len(everything) - len(shown)
    return Listing(tuple(rows), hidden)


def _roles(models: ModelClient) -> dict[Route, list[str]]:
    """Which roles each model may answer for."""
    used: dict[Route, list[str]] = {}
    for role in ROLES:
        try:
            candidates = models.candidates(role)
        except UnknownName:
            continue
        for candidate in candidates:
            used.setdefault(candidate.route, []).append(role)
    return used


def _ids(models: ModelClient, provider: str, roles: dict[Route, list[str]]) -> list[str]:
    """Everything known of a provider, what is used first."""
    known = models.catalog.names().providers[provider]
    line = models.catalog.free_line(provider)
    used = [route.model for route in roles if route.provider == provider]
    return [
        id_ for id_ in dict.fromkeys((*used, *line, known.default, *known.models)) if id_ or not known.models
    ]


def _short(models: ModelClient, provider: str, ids: list[str], roles: dict[Route, list[str]]) -> list[str]:
    """Of a long list what is used or free; of a short one everything."""
    if len(ids) <= LONG:
        return ids
    best = {*models.catalog.free_line(provider), *models.catalog.free_models.get(provider, ())}
    chosen = [id_ for id_ in ids if id_ in best or Route(provider, id_) in roles]
    return chosen[:LONG] or ids[:LONG]


def _row(models: ModelClient, route: Route, roles: dict[Route, list[str]]) -> Row:
    catalog = models.catalog
    info, settings = catalog.info(route), catalog.providers[route.provider]
    state, until, reason = "ready", None, ""
    rest = next((r for c, r in models.resting(str(route)) if c.route == route), None)
    if not usable(route.provider, settings):
        state, reason = "unusable", "`nanobot check` says what is missing"
    elif route in catalog.retired:
        state, reason = "unusable", "is not offered any more"
    elif rest is not None:
        kind = getattr(errors, rest.error, ProviderError)
        state, until, reason = "resting", rest.until or None, kind.summary
    return Row(
        route.provider,
        route.model,
        info.context_window,
        info.tools,
        info.vision,
        info.thinks,
        info.tier,
        info.price,
        costs_nothing(catalog, route),
        tuple(roles.get(route, ())),
        state,
        until,
        reason,
    )


def groups(found: Listing) -> Iterator[tuple[str, list[Row]]]:
    """The rows by provider, in their order."""
    by: dict[str, list[Row]] = {}
    for row in found.rows:
        by.setdefault(row.provider, []).append(row)
    yield from by.items()

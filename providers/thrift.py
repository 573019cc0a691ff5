"""What costs something, and who may stand in for whom: never from free to paid, nor to anything dearer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from providers.health import pooled
from providers.plan import step_for
from providers.presets import preset_for
from providers.registry import Catalog
from providers.router import Candidate
from providers.types import ChatRequest, ModelInfo, Route

STAND_INS = 2
"""How many models may stand in within one call."""

_TIERS = ("weak", "capable", "strong")


def costs_nothing(catalog: Catalog, route: Route) -> bool:
    """Whether a call is free: by its price where that is known, else where nobody could be billed."""
    if route.provider not in catalog.providers:
        return False
    price = catalog.info(route).price
    return price.free if price is not None else unbilled(catalog, route)


def unbilled(catalog: Catalog, route: Route) -> bool:
    """Whether a model without a known price is where nobody could be billed for it."""
    settings = catalog.providers.get(route.provider)
    if settings is None:
        return False
    return not settings.keys or pooled(route.model) or catalog.local(route.provider)


def unpaid(catalog: Catalog, chain: Iterable[Candidate]) -> frozenset[Route]:
    """Those of a chain that would be the first to cost something after a free one; none where the chain begins with
    one that costs.
    """
    routes = [candidate.route for candidate in chain]
    if not routes or not costs_nothing(catalog, routes[0]):
        return frozenset()
    return frozenset(route for route in routes[1:] if not costs_nothing(catalog, route))


def stand_ins(catalog: Catalog, failed: Candidate, request: ChatRequest) -> Iterator[Candidate]:
    """Other models of the same provider that can take the request and cost no more, those of the same tier first.

    Only such as the owner or a preset names, or that are listed as able to use tools: many ids of a list belong to
    no chat model.
    """
    provider = failed.route.provider
    settings = catalog.providers.get(provider)
    if settings is None:
        return
    preset = preset_for(provider, settings)
    named = [*settings.models, *settings.model_info, *(m.id for m in (preset.models if preset else ()))]
    listed = [m.id for m in catalog.listed.get(provider, ()) if m.tools]
    routes = [Route(provider, id_) for id_ in dict.fromkeys((*named, *listed)) if id_ != failed.route.model]
    known = [Candidate(route, catalog.info(route), failed.local) for route in routes]
    known.sort(key=lambda candidate: candidate.info.tier != failed.info.tier)
    for one in known:
        if one.route not in catalog.retired and _takes(one, request) and _no_dearer(catalog, one, failed):
            yield one


def _takes(candidate: Candidate, request: ChatRequest) -> bool:
    info = candidate.info
    if info.tiny or (request.tools and info.tools is False):
        return False
    if info.vision is False and any(message.images for message in request.messages):
        return False
    return not step_for(candidate, request).shortage


def _no_dearer(catalog: Catalog, one: Candidate, failed: Candidate) -> bool:
    if costs_nothing(catalog, one.route):
        return True
    if costs_nothing(catalog, failed.route):
        return False
    mine, its = one.info.price, failed.info.price
    if mine is not None and its is not None:
        return mine.prompt <= its.prompt and mine.completion <= its.completion
    return _rank(one.info) <= _rank(failed.info)


def _rank(info: ModelInfo) -> int:
    return _TIERS.index(info.tier)

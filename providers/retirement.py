"""Free models that are gone: what failures say of them, against what lists say, kept over a restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.health import pooled
from providers.types import Route

_PREFIX = "retired:"
RETIRED_FOR = 7 * 86_400.0
"""Seconds after which a model that failed as unknown, but was listed all the time, is believed in again."""


@dataclass(frozen=True, slots=True)
class Retired:
    """Since when (epoch seconds) a free model is known to be gone, and whether a list has left it out since."""

    at: float
    gone: bool = False


def still_retired(
    retired: Mapping[Route, Retired], provider: str, listed: Iterable[str], now: float
) -> dict[Route, Retired]:
    """Which models stay retired when `provider` lists these ids.

    One that had vanished and is listed again is back. One that never vanished from the list fails for a reason that
    the list doesn't know; it is tried again after a week.
    """
    ids = set(listed)
    left: dict[Route, Retired] = {}
    for route, since in retired.items():
        if route.provider != provider:
            left[route] = since
        elif route.model not in ids:
            left[route] = replace(since, gone=True)
        elif not since.gone and 0 <= now - since.at < RETIRED_FOR:
            left[route] = since
    return left


class Retirements:
    """Holds no clock and no store; see `still_retired` for when one ends."""

    def __init__(self) -> None:
        self._retired: dict[Route, Retired] = {}
        self._touched: set[Route] = set()

    @property
    def routes(self) -> frozenset[Route]:
        return frozenset(self._retired)

    def note(self, route: Route, now: float) -> bool:
        """A server says that there is no such model; of free ones that is remembered. Whether it is one."""
        if pooled(route.model):
            self._retired[route] = Retired(now)
            self._touched.add(route)
        return pooled(route.model)

    def relist(self, provider: str, ids: Iterable[str], now: float) -> None:
        """A provider lists these models now."""
        before, self._retired = self._retired, still_retired(self._retired, provider, ids, now)
        self._touched |= {route for route in before if before[route] != self._retired.get(route)}

    def restore(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Take up what `changes` gave to be stored."""
        for scope, state in states.items():
            provider, slash, model = scope.removeprefix(_PREFIX).partition("/")
            at = state.get("at")
            if is_retirement(scope) and slash and isinstance(at, int | float):
                self._retired.setdefault(
                    Route(provider, model), Retired(float(at), state.get("gone") is True)
                )

    def changes(self) -> dict[str, dict[str, Any]]:
        """What is to be stored since the last call: scope → state, {} for one that is back."""
        changed: dict[str, dict[str, Any]] = {}
        for route in self._touched:
            since = self._retired.get(route)
            changed[f"{_PREFIX}{route}"] = {"at": since.at, "gone": since.gone} if since else {}
        self._touched.clear()
        return changed


def is_retirement(scope: str) -> bool:
    """Whether a stored state is one of these; the others are rests and breakers."""
    return scope.startswith(_PREFIX)

"""Which scopes rest, until when, and why: pure state, the time is passed in (epoch seconds).

A scope is `provider:NAME`, `credential:NAME`, `account:NAME` (with `:free` behind it for the pool of free
models that share one allowance) or `model:NAME/MODEL`. All but the first belong to one key: from a provider's
second on the name has its number behind it, as in `credential:groq#2`. Each scope has a breaker, which counts
failures, and a rest, which a server asked for or a rule gives. After either ends, one call goes through before the
others do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.errors import (
    Denied,
    Misconfigured,
    OutOfMoney,
    ProviderError,
    RateLimited,
    UnknownModel,
    Unreachable,
)
from providers.types import Route

STRIKES = 3
OUTCOMES = 6
MINUTE = 60.0
OPEN_FOR = (30.0, 60.0, 120.0, 300.0)
LONGEST_REST = 86_400.0
PROBE_LOST = 900.0
"""After this many seconds a probe that never reported is taken to be lost, and another may go."""

FREE = ":free"
_NUMBER = re.compile(r"#(\d+)$")

RESTS: Mapping[type[ProviderError], float] = {
    RateLimited: 30.0,
    Denied: 600.0,
    OutOfMoney: 600.0,
    Misconfigured: 600.0,
    UnknownModel: 3600.0,
}
"""How long each class rests its scope where the server names no time, or a shorter one that it can't know."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Opens after three failures in a row, or when half of the last six, all within a minute, failed.

    `opened` counts how often it opened since it was last closed, which decides for how long. It is open until
    `until` and half-open from then on.
    """

    outcomes: tuple[tuple[float, bool], ...] = ()
    opened: int = 0
    until: float = 0.0

    @property
    def closed(self) -> bool:
        return self.opened == 0

    @property
    def streak(self) -> int:
        """Failures since the last success."""
        return next((n for n, (_, ok) in enumerate(reversed(self.outcomes)) if ok), len(self.outcomes))

    def succeeded(self, now: float) -> Breaker:
        return Breaker(self._with(now, True)) if self.closed else Breaker()

    def failed(self, now: float, *, probe: bool = False) -> Breaker:
        """After one more failure. An open breaker ignores the stragglers; a failed `probe` opens it for
        longer.
        """
        if not self.closed:
            return self._opened(now) if probe or now >= self.until else self
        outcomes = self._with(now, False)
        streak = len(outcomes) >= STRIKES and not any(ok for _, ok in outcomes[-STRIKES:])
        failures = sum(not ok for _, ok in outcomes)
        half = len(outcomes) == OUTCOMES and 2 * failures >= OUTCOMES and now - outcomes[0][0] <= MINUTE
        return self._opened(now) if streak or half else Breaker(outcomes)

    def _with(self, now: float, ok: bool) -> tuple[tuple[float, bool], ...]:
        return (*self.outcomes[1 - OUTCOMES :], (now, ok))

    def _opened(self, now: float) -> Breaker:
        return Breaker((), self.opened + 1, now + OPEN_FOR[min(self.opened, len(OPEN_FOR) - 1)])


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a route is passed over now. `breaker`: our own guess, which may be overruled where nothing else is
    left.
    """

    scope: str
    until: float
    error: str
    detail: str = ""
    needs_owner: bool = False
    breaker: bool = False
    probing: bool = False
    """The one call that a half-open scope lets through is on its way."""


@dataclass(frozen=True, slots=True)
class ScopeState:
    """One scope: its breaker, its rest, the last error, and since when the one call of a half-open one runs."""

    breaker: Breaker = Breaker()
    until: float = 0.0
    error: str = ""
    detail: str = ""
    needs_owner: bool = False
    probe_at: float | None = None
    hearsay: bool = False
    """It was cleared by what a list of models proves; no answer has confirmed that yet."""
    deaf: bool = False
    """It failed again after it was cleared so: such proof means nothing until an answer comes."""

    def rest(self, scope: str, now: float) -> Rest | None:
        """Why calls don't go through now, or None. A half-open scope whose probe runs holds the others back."""
        by_breaker = not self.breaker.closed and self.breaker.until >= self.until
        until = max(_ahead(self.until, LONGEST_REST, now), _ahead(self.breaker.until, OPEN_FOR[-1], now))
        probing = self.probe_at is not None and 0 <= now - self.probe_at < PROBE_LOST
        if until <= now and not (self.half_open and probing):
            return None
        return Rest(scope, until, self.error, self.detail, self.needs_owner, by_breaker, probing)

    @property
    def half_open(self) -> bool:
        """Whether the next call, once the wait is over, is a probe: nobody has seen it work since."""
        return not self.breaker.closed or self.needs_owner

    @property
    def doubtful(self) -> bool:
        """Whether nobody has seen it work since it failed."""
        return self.half_open or self.breaker.streak > 0

    @property
    def clear(self) -> bool:
        return self.breaker.closed and self.until == 0.0

    def to_json(self, now: float) -> dict[str, Any]:
        """What outlives a restart: an open breaker, and a rest of more than a minute; {} for neither."""
        if self.breaker.closed and self.until - now <= MINUTE:
            return {}
        return {
            "until": self.until,
            "opened": self.breaker.opened,
            "open_until": self.breaker.until,
            "error": self.error,
            "detail": self.detail,
            "needs_owner": self.needs_owner,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> ScopeState:
        breaker = Breaker((), int(state.get("opened", 0)), float(state.get("open_until", 0.0)))
        return cls(
            breaker,
            float(state.get("until", 0.0)),
            str(state.get("error", "")),
            str(state.get("detail", "")),
            bool(state.get("needs_owner", False)),
        )


_FRESH = ScopeState()


class HealthBook:
    """The states of all scopes. Holds no clock, no store and no lock: it is used from one event loop."""

    def __init__(self) -> None:
        self._states: dict[str, ScopeState] = {}
        self._touched: set[str] = set()
        self._stored: set[str] = set()

    def check(self, route: Route, now: float, key: int = 0) -> Rest | None:
        """The rest that ends last among the scopes of the route with this key, or None if it may be called."""
        states = self._states
        if not states:
            return None
        rests = [r for s in scopes(route, key).values() if s in states and (r := states[s].rest(s, now))]
        return max(rests, key=lambda rest: rest.until) if rests else None

    def admit(self, route: Route, now: float, key: int = 0, *, force: bool = False) -> Rest | None:
        """As `check`; if the route may be called, it takes the one place of each half-open scope. `force`
        skips the wait of a breaker, not another call's place nor a rest that the server asked for.
        """
        rest = self.check(route, now, key)
        if rest is not None and not (force and rest.breaker and not rest.probing):
            return rest
        for scope in scopes(route, key).values():
            state = self._states.get(scope)
            if state is not None and state.half_open:
                self._states[scope] = replace(state, probe_at=now)
        return None

    def unproven(self, route: Route, key: int = 0) -> bool:
        """Whether the next call to it is a probe: it failed, and nobody has seen it work since."""
        states = (self._states.get(scope) for scope in scopes(route, key).values())
        return any(state is not None and state.half_open for state in states)

    def release(self, route: Route, key: int = 0) -> None:
        """Give up the places that `admit` took: the call ended without saying anything about its scopes."""
        for scope in scopes(route, key).values():
            state = self._states.get(scope)
            if state is not None and state.probe_at is not None:
                self._states[scope] = replace(state, probe_at=None)

    def record(self, route: Route, error: ProviderError | None, now: float, key: int = 0) -> None:
        """Note how a call ended. A failure says that the scopes wider than its own work, and nothing of
        narrower ones.
        """
        kinds = scopes(route, key)
        order = list(kinds)
        failed = len(order) if error is None else _position(error, order)
        for position, kind in enumerate(order):
            scope = kinds[kind]
            state = self._states.get(scope)
            if position == failed and error is not None:
                self._set(scope, _after(state or _FRESH, error, now))
            elif position < failed:
                if state is not None or kind in ("provider", "model"):
                    self._set(scope, ScopeState((state or _FRESH).breaker.succeeded(now)))
            elif state is not None and state.probe_at is not None:
                self._states[scope] = replace(state, probe_at=None)

    def hold(self, scope: str, error: ProviderError, now: float) -> None:
        """Let a scope rest for what is known without a call."""
        self._set(scope, _after(self._states.get(scope, _FRESH), error, now))

    def lift(self, scope: str, now: float) -> None:
        """End a scope's rest of more than a minute: it is known without a call that it is over."""
        state = self._states.get(scope)
        if state is not None and state.until > now + MINUTE:
            self._set(scope, _FRESH)

    def state(self, scope: str) -> ScopeState:
        return self._states.get(scope, _FRESH)

    def doubtful(self) -> tuple[str, ...]:
        """The scopes that nobody has seen work since they failed."""
        return tuple(scope for scope, state in self._states.items() if state.doubtful)

    def well(self, route: Route, now: float, key: int = 0) -> bool:
        """Whether it is known that the route may be called, and nothing of it failed last."""
        states = [self._states.get(scope) for scope in scopes(route, key).values()]
        if self.check(route, now, key) is not None or not self.asked(route.provider):
            return False
        return not any(state.doubtful for state in states if state is not None)

    def take(self, scope: str, now: float) -> None:
        """Take the place of the one call that a half-open scope lets through, whatever it rests for."""
        self._states[scope] = replace(self.state(scope), probe_at=now)

    def settle(self, scope: str, error: ProviderError | None, now: float) -> None:
        """Note what a look at this scope found that was no call of a model, and give back its place."""
        state = self.state(scope)
        if error is not None:
            self._set(scope, _after(replace(state, hearsay=False), error, now))
        elif state.doubtful:
            self._set(scope, ScopeState(hearsay=True))
        else:
            self._set(scope, replace(state, probe_at=None))

    def leave(self, scope: str) -> None:
        """Give back the place that `take` took: nothing was found out."""
        state = self._states.get(scope)
        if state is not None and state.probe_at is not None:
            self._states[scope] = replace(state, probe_at=None)

    def room(self, scope: str) -> int:
        """How many calls may go out before one of them brought word: as many failures as would open its breaker."""
        state = self._states.get(scope)
        return STRIKES if state is None else max(1, STRIKES - state.breaker.streak)

    def forget(self, holders: Collection[str]) -> None:
        """Drop the state of every scope of these `holders`: their key or address is another one now."""
        for scope in [s for s in self._states if holder(s) in holders]:
            self._states[scope] = _FRESH
            self._touched.add(scope)

    def restore(self, states: Mapping[str, Mapping[str, Any]], marks: Mapping[str, str], now: float) -> None:
        """Take up what was stored with the `of` that `marks` holds for its provider and key; anything else is
        about one that is gone or another one by now. Waits are capped, in case the clock was wrong when they
        were written.
        """
        for scope, stored in states.items():
            if not stored or stored.get("of") != marks.get(holder(scope)):
                continue
            state = ScopeState.from_json(stored)
            until = min(state.until, now + LONGEST_REST)
            breaker = replace(state.breaker, until=min(state.breaker.until, now + OPEN_FOR[-1]))
            self._states[scope] = replace(state, until=until, breaker=breaker)
            self._stored.add(scope)

    def changes(self, now: float) -> dict[str, dict[str, Any]]:
        """What is to be stored since the last call: scope → state, {} for one that is well again."""
        changed: dict[str, dict[str, Any]] = {}
        for scope in self._touched:
            state = self._states[scope].to_json(now)
            if state or scope in self._stored:
                changed[scope] = state
            (self._stored.add if state else self._stored.discard)(scope)
        self._touched.clear()
        return changed

    def asked(self, provider: str) -> bool:
        """Whether a call to it has ended since the start, or something of it is left from before."""
        return f"provider:{provider}" in self._states

    def resting(self, now: float) -> tuple[Rest, ...]:
        """Everything that rests now, for `nanobot status`."""
        rests = (state.rest(scope, now) for scope, state in sorted(self._states.items()))
        return tuple(rest for rest in rests if rest)

    def _set(self, scope: str, state: ScopeState) -> None:
        before = self._states.get(scope, _FRESH)
        self._states[scope] = state
        if not (before.clear and state.clear):
            self._touched.add(scope)


def scopes(route: Route, key: int = 0) -> dict[str, str]:
    """The scopes that a route depends on with one of its provider's keys, the widest first: kind → scope."""
    name = keyed(route.provider, key)
    return {
        "provider": f"provider:{route.provider}",
        "credential": f"credential:{name}",
        "account": free_account(route.provider, key) if pooled(route.model) else f"account:{name}",
        "model": f"model:{name}/{route.model}",
    }


def pooled(model: str) -> bool:
    """Whether a model is one of OpenRouter's free ones, which share one allowance (`openrouter/free` picks one)."""
    return model.endswith(FREE) or model == "openrouter/free"


def free_account(provider: str, key: int = 0) -> str:
    """The scope of the allowance that an account's free models share."""
    return f"account:{keyed(provider, key)}{FREE}"


def keyed(provider: str, key: int) -> str:
    """A provider's name with the number of its key, which the first one lacks."""
    return f"{provider}#{key + 1}" if key else provider


def holder(scope: str) -> str:
    """The provider's name with the number of the key that a scope belongs to, as `keyed` makes it."""
    return scope.partition(":")[2].partition("/")[0].removesuffix(FREE)


def owner(scope: str) -> str:
    """The name of the provider that a scope belongs to."""
    return _NUMBER.sub("", holder(scope))


def title(scope: str) -> str:
    """A scope in words: "groq", "groq's key 2", "openrouter's free tier", "groq/some-model (key 2)"."""
    kind, _, rest = scope.partition(":")
    name, number = owner(scope), _NUMBER.search(holder(scope))
    if kind == "credential":
        return f"{name}'s key {number[1]}" if number else f"{name}'s key"
    account = "free tier" if rest.endswith(FREE) else "account"
    what = {"provider": name, "account": f"{name}'s {account}"}.get(kind, f"{name}/{rest.partition('/')[2]}")
    return f"{what} (key {number[1]})" if number else what


def _ahead(until: float, longest: float, now: float) -> float:
    """`until`; where it lies further ahead than any wait is long, the clock was set back, and it is over."""
    return until if until - now <= longest + 1.0 else 0.0


def _position(error: ProviderError, order: list[str]) -> int:
    """Where the error's scope stands; a fault of the request itself clears all but the model, which it says
    nothing of.
    """
    if error.scope == "request":
        return len(order) - 1
    return order.index(error.scope)


def _after(state: ScopeState, error: ProviderError, now: float) -> ScopeState:
    if error.scope == "request":
        return replace(state, probe_at=None)
    breaker = state.breaker.failed(now, probe=state.probe_at is not None) if error.strikes else state.breaker
    wait = next((seconds for kind, seconds in RESTS.items() if isinstance(error, kind)), 0.0)
    if error.retry_after is not None:
        wait = max(error.retry_after, wait if error.needs_owner else 0.0)
    until = max(state.until, now + min(wait, LONGEST_REST)) if wait > 0 else state.until
    # That it can't be reached says nothing against what the list proved: it was there then.
    deaf = state.deaf or (state.hearsay and type(error) is not Unreachable)
    return ScopeState(breaker, until, type(error).__name__, error.detail, error.needs_owner, deaf=deaf)

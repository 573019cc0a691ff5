"""Who may be asked next in one call: the candidates in order, then those that are worth waiting for."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum, auto

from providers.deadline import Deadline
from providers.errors import (
    Loading,
    NoToolSupport,
    ProviderError,
    RateLimited,
    TooLong,
    UnknownModel,
)
from providers.health import HealthBook, Rest
from providers.knowledge import Knowledge
from providers.pace import Pace
from providers.plan import Step, plan, step_for
from providers.registry import Registry
from providers.types import Attempt, ChatRequest, Route

POLL_LOADING = 1.0
POLL_PROBE = 0.25


@dataclass(slots=True)
class Means:
    """What all calls of one client work with. `now` is wall-clock time; `patience` the longest wait for a
    limit, seconds.
    """

    registry: Registry
    knowledge: Knowledge
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    patience: float = 5.0
    health: HealthBook = field(default_factory=HealthBook)
    pace: Pace = field(default_factory=Pace)


class Path:
    """Every attempt of one call, in order."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    def note(self, attempt: Attempt) -> None:
        """Add one; the polls of a server that is loading are one attempt."""
        last = self.attempts[-1] if self.attempts else None
        if last and attempt.error == last.error == Loading.__name__ and attempt.route == last.route:
            self.attempts[-1] = replace(attempt, seconds=last.seconds + attempt.seconds)
        else:
            self.attempts.append(attempt)

    def earliest_return(self, now: float) -> float | None:
        """When the first of those that failed may be back (wall clock), as far as that is known."""
        last = {attempt.route: attempt.until for attempt in self.attempts}
        return min((until for until in last.values() if until is not None and until > now), default=None)


class Why(IntEnum):
    """Why a candidate is worth another try once nobody else is left; the promising first."""

    LIMIT_ENDS = auto()
    BREAKER_MAY_BE_WRONG = auto()
    LOADING = auto()


WAITS = {Why.LIMIT_ENDS: 3, Why.BREAKER_MAY_BE_WRONG: 1, Why.LOADING: 1_000_000}
"""How often one call waits for the same candidate; for a loading one until its deadline."""


@dataclass(slots=True)
class _Later:
    """Try this step again from `at` (wall clock) on."""

    step: Step
    why: Why
    at: float


class Lineup:
    """The candidates of one call. Whoever asks them says how it went with `failed` and `follow`."""

    def __init__(self, means: Means, name: str, request: ChatRequest, deadline: Deadline, path: Path) -> None:
        self._means = means
        self._request = request
        self._deadline = deadline
        self._path = path
        self._queue: deque[Step] = deque(plan(means.knowledge.router.candidates(name), request))
        self._later: list[_Later] = []
        self._waits: dict[tuple[Route, Why], int] = {}
        self._too_small: list[Step] = []
        self._exceeded = 0

    async def next(self) -> Step | None:
        """The next step that may be called now, its place with the health book taken; None where there is
        none.
        """
        while not self._deadline.passed:
            step, force = await self._pick()
            if step is None:
                return None
            known = await self._known(step, force=force)
            if known is not None and self.admitted(known, force=force):
                return known
        return None

    def others_healthy(self) -> bool:
        """Whether somebody who was not asked yet could answer."""
        health, now = self._means.health, self._means.now()
        return any(not s.shortage and health.check(s.candidate.route, now) is None for s in self._queue)

    def admitted(self, step: Step, *, force: bool = False) -> bool:
        """Whether the step may be called now; else notes why not, and whether it may be worth waiting for."""
        route, now = step.candidate.route, self._means.now()
        window = step.candidate.info.context_window
        if step.shortage or (window is not None and window <= self._exceeded):
            self._too_small += [step] if step.shortage else []
            detail = step.shortage or f"its window of {window} tokens is too small as well"
            return self._pass_over(step, Rest("", 0.0, TooLong.__name__, detail))
        settings = self._means.knowledge.catalog.providers.get(route.provider)
        rpm = settings.rate_limit_rpm if settings else None
        ready_at = self._means.pace.ready_at(route.provider, rpm, now)
        if ready_at > now:
            detail = f"the limit of {rpm} requests a minute that you set"
            return self._pass_over(step, Rest("", ready_at, RateLimited.__name__, detail))
        rest = self._means.health.admit(route, now, force=force)
        if rest is not None:
            return self._pass_over(step, rest)
        self._means.pace.note(route.provider, rpm, now)
        return True

    def failed(self, step: Step, error: ProviderError, seconds: float, *, counts: bool = True) -> None:
        """Note one failed call: with the health book, if it `counts`, and on the path."""
        route, now = step.candidate.route, self._means.now()
        if counts:
            self._means.health.record(route, error, now)
        rest = self._means.health.check(route, now)
        until = rest.until if rest and rest.until > now else None
        self._path.note(
            Attempt(route, type(error).__name__, error.detail, seconds, until, needs_owner=error.needs_owner)
        )

    def follow(self, step: Step, error: ProviderError) -> None:
        """What comes of a candidate that is not asked again at once."""
        route, now = step.candidate.route, self._means.now()
        if isinstance(error, NoToolSupport) and step.request.tools:
            self._means.knowledge.teach(route, tools=False)
            candidate = replace(step.candidate, info=replace(step.candidate.info, tools=False))
            self._queue.append(step_for(candidate, self._request))
        elif isinstance(error, TooLong):
            self._means.knowledge.teach(route, context_window=error.window)
            self._exceeded = max(self._exceeded, error.window or step.candidate.info.context_window or 0)
        elif isinstance(error, Loading):
            self._wait_for(step, Why.LOADING, now + POLL_LOADING)
        else:
            rest = self._means.health.check(route, now)
            if rest is not None and not rest.breaker:
                self._wait_for(step, Why.LIMIT_ENDS, rest.until)

    async def _pick(self) -> tuple[Step | None, bool]:
        """The next one in line, one that was worth waiting for, or the widest of those thought too small; and
        whether its breaker is overruled.
        """
        if self._queue:
            return self._queue.popleft(), False
        while self._later:
            later = min(self._later, key=lambda one: (one.why, one.at))
            self._later.remove(later)
            if await self._waited(later):
                return later.step, later.why is Why.BREAKER_MAY_BE_WRONG
        if not self._too_small:
            return None, False
        widest = max(self._too_small, key=lambda step: step.candidate.info.context_window or 0)
        self._too_small.clear()
        return replace(widest, shortage=""), False

    async def _known(self, step: Step, *, force: bool) -> Step | None:
        """The step with what its server says of the model; None where it goes no further with it."""
        knowledge, candidate = self._means.knowledge, step.candidate
        resting = self._means.health.check(candidate.route, self._means.now()) is not None
        if knowledge.needs_asking(candidate) and (force or not resting):
            started = self._deadline.now()
            try:
                await knowledge.ask(candidate)
                if not knowledge.refreshed(candidate).route.model:
                    raise UnknownModel("it lists no model")
            except ProviderError as error:
                self.failed(step, error, self._deadline.now() - started)
                self.follow(step, error)
                return None
        fresh = knowledge.refreshed(candidate)
        if fresh == candidate:
            return step
        step = step_for(fresh, self._request)
        if self._request.tools and not step.request.tools and any(s.request.tools for s in self._queue):
            self._queue.append(step)
            return None
        return step

    def _pass_over(self, step: Step, rest: Rest) -> bool:
        route, until = step.candidate.route, rest.until or None
        self._path.note(
            Attempt(route, rest.error, rest.detail, 0.0, until, called=False, needs_owner=rest.needs_owner)
        )
        if rest.breaker:
            self._wait_for(step, Why.BREAKER_MAY_BE_WRONG, self._means.now())
        elif rest.until:
            self._wait_for(step, Why.LIMIT_ENDS, rest.until)
        return False

    def _wait_for(self, step: Step, why: Why, at: float) -> None:
        key = (step.candidate.route, why)
        self._waits[key] = self._waits.get(key, 0) + 1
        if at - self._means.now() <= self._means.patience and self._waits[key] <= WAITS[why]:
            self._later.append(_Later(step, why, at))

    async def _waited(self, later: _Later) -> bool:
        """Wait until the step's time has come, within the deadline. False if there is no use in trying it."""
        means, route = self._means, later.step.candidate.route
        if later.why is not Why.BREAKER_MAY_BE_WRONG:
            return await self._deadline.pause(max(0.0, later.at - means.now()))
        while (rest := means.health.check(route, means.now())) and rest.probing:
            if not await self._deadline.pause(POLL_PROBE):
                return False
        return True

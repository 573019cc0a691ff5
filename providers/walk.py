"""One call's way along its candidates: who is asked, who is passed over, who is asked again, within one
deadline.

What a failure leads to is decided by the class of the error alone (`providers.errors`); who rests, by the
health book.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from enum import IntEnum, auto

from providers.errors import (
    CutStream,
    Loading,
    Misconfigured,
    NoModel,
    NoToolSupport,
    ProviderError,
    RateLimited,
    Stalled,
    TooLong,
    UnknownModel,
)
from providers.health import HealthBook, Rest
from providers.knowledge import Knowledge
from providers.pace import Pace
from providers.plan import Step, plan, step_for
from providers.registry import Registry
from providers.settings import ProviderSettings
from providers.types import Attempt, ChatReply, ChatRequest, ClientEvent, Completion, Restart, TextDelta

RETRY_PAUSE = 0.5
SLOW_FAILURE = 5.0
"""A failure that took longer than this is not repeated while somebody else could answer."""
FAIR_CHANCE = 30.0
"""Seconds without an answer that speak against a candidate; when our own deadline cut it off sooner, they
don't.
"""
POLL_LOADING = 1.0
POLL_PROBE = 0.25


@dataclass(slots=True)
class Means:
    """What all walks of one client work with. `now` is wall-clock time; `patience` the longest wait for a
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


class _Why(IntEnum):
    """Why a step is worth another try once nobody else is left; the promising first."""

    LIMIT_ENDS = auto()
    BREAKER_MAY_BE_WRONG = auto()
    LOADING = auto()


WAITS = {_Why.LIMIT_ENDS: 3, _Why.BREAKER_MAY_BE_WRONG: 1, _Why.LOADING: 1_000_000}
"""How often one walk waits for the same candidate; for a loading one until its deadline."""


@dataclass(slots=True)
class _Later:
    """Try this step again from `at` (wall clock) on."""

    step: Step
    why: _Why
    at: float


class Walk:
    """Goes once; iterate over `events()`. `path` is what happened so far."""

    def __init__(self, means: Means, name: str, request: ChatRequest) -> None:
        self.path: list[Attempt] = []
        self._means = means
        self._name = name
        self._request = request
        self._queue: deque[Step] = deque(plan(means.knowledge.router.candidates(name), request))
        self._later: list[_Later] = []
        self._waits: dict[object, int] = {}
        self._too_small: list[Step] = []
        self._exceeded = 0
        self._error: ProviderError | None = None
        self._answered = False
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._ahead = 0.0
        self._deadline = self._time() + request.timeout

    async def events(self) -> AsyncGenerator[ClientEvent, None]:
        """Deltas, `Restart`s and at last one `ChatReply`. Raises `NoModel` where no candidate answered."""
        while not (self._answered or self._stopped) and (step := await self._next()):
            async with aclosing(self._visit(step)) as events:
                async for event in events:
                    yield event
        if not self._answered:
            raise NoModel(tuple(self.path), self._retry_at())

    # Who is next

    async def _next(self) -> Step | None:
        """The next step that may be called now, its place with the health book taken."""
        while self._time() < self._deadline:
            step, force = await self._pick()
            if step is None:
                return None
            known = await self._known(step, force=force)
            if known is not None and self._admitted(known, force=force):
                return known
        return None

    async def _pick(self) -> tuple[Step | None, bool]:
        """The next one in line, one that was worth waiting for, or the widest of those thought too small; and
        whether its breaker is overruled.
        """
        if self._queue:
            return self._queue.popleft(), False
        while later := self._soonest():
            if await self._waited(later):
                return later.step, later.why is _Why.BREAKER_MAY_BE_WRONG
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
            started = self._time()
            try:
                await knowledge.ask(candidate)
                if not knowledge.refreshed(candidate).route.model:
                    raise UnknownModel("it lists no model")
            except ProviderError as error:
                self._failed(step, error, self._time() - started)
                self._follow(step, error)
                return None
        fresh = knowledge.refreshed(candidate)
        if fresh == candidate:
            return step
        step = step_for(fresh, self._request)
        if self._request.tools and not step.request.tools and any(s.request.tools for s in self._queue):
            self._queue.append(step)
            return None
        return step

    def _admitted(self, step: Step, *, force: bool = False) -> bool:
        """Whether the step may be called now; else notes why not, and whether it may be worth waiting for."""
        route, now = step.candidate.route, self._means.now()
        window = step.candidate.info.context_window
        if step.shortage or (window is not None and window <= self._exceeded):
            self._too_small += [step] if step.shortage else []
            detail = step.shortage or f"its window of {window} tokens is too small as well"
            self._pass_over(step, Rest("", 0.0, TooLong.__name__, detail))
            return False
        settings = self._means.knowledge.catalog.providers.get(route.provider)
        rpm = settings.rate_limit_rpm if settings else None
        ready_at = self._means.pace.ready_at(route.provider, rpm, now)
        if ready_at > now:
            detail = f"the limit of {rpm} requests a minute that you set"
            self._pass_over(step, Rest("", ready_at, RateLimited.__name__, detail))
            return False
        rest = self._means.health.admit(route, now, force=force)
        if rest is not None:
            self._pass_over(step, rest)
            return False
        self._means.pace.note(route.provider, rpm, now)
        return True

    def _pass_over(self, step: Step, rest: Rest) -> None:
        until = rest.until or None
        self._note(
            Attempt(
                step.candidate.route,
                rest.error,
                rest.detail,
                0.0,
                until,
                called=False,
                needs_owner=rest.needs_owner,
            )
        )
        if rest.breaker:
            self._wait_for(step, _Why.BREAKER_MAY_BE_WRONG, self._means.now())
        elif rest.until and not rest.needs_owner:
            self._wait_for(step, _Why.LIMIT_ENDS, rest.until)

    # Those worth waiting for

    def _wait_for(self, step: Step, why: _Why, at: float) -> None:
        key = (step.candidate.route, why)
        self._waits[key] = self._waits.get(key, 0) + 1
        within = at - self._means.now() <= self._means.patience
        if within and (self._waits[key] <= WAITS[why]):
            self._later.append(_Later(step, why, at))

    def _soonest(self) -> _Later | None:
        if not self._later:
            return None
        later = min(self._later, key=lambda one: (one.why, one.at))
        self._later.remove(later)
        return later

    async def _waited(self, later: _Later) -> bool:
        """Wait until the step's time has come, within the deadline. False if there is no use in trying it."""
        means, route = self._means, later.step.candidate.route
        if later.why is not _Why.BREAKER_MAY_BE_WRONG:
            return await self._pause(max(0.0, later.at - means.now()))
        while (rest := means.health.check(route, means.now())) and rest.probing:
            if not await self._pause(POLL_PROBE):
                return False
        return True

    async def _pause(self, seconds: float) -> bool:
        """Sleep; False at once where the deadline comes first."""
        if self._time() + seconds >= self._deadline:
            return False
        woken_at = self._time() + seconds
        await self._means.sleep(seconds)
        # A test's sleep takes no time of the loop; the deadline has to come closer all the same.
        self._ahead += max(0.0, woken_at - self._time())
        return True

    def _time(self) -> float:
        return self._loop.time() + self._ahead

    # One candidate

    async def _visit(self, step: Step) -> AsyncGenerator[ClientEvent, None]:
        """Call it, and again as often as its errors allow."""
        tries = 0
        while True:
            started = self._time()
            shown = False
            async with aclosing(self._call(step)) as events:
                async for event in events:
                    shown = shown or isinstance(event, TextDelta)
                    yield event
            error = self._error
            if error is None:
                return
            again = self._again(step, error, tries, self._time() - started)
            if shown:
                yield Restart(self.path[-1])
            if not again or not await self._pause(RETRY_PAUSE * (0.5 + self._means.jitter())):
                break
            tries += 1
            if not self._admitted(step):
                return
        self._follow(step, error)

    async def _call(self, step: Step) -> AsyncGenerator[ClientEvent, None]:
        """Call it once. Leaves the outcome in `_error` and on the path; its place in the health book is given
        back.
        """
        candidate, means, started = step.candidate, self._means, self._time()
        self._error = None
        recorded = cut_short = False
        try:
            completion: Completion | None = None
            try:
                with means.registry.lease(candidate.route.provider, self._settings(step)) as provider:
                    async with aclosing(provider.stream(candidate.route.model, step.request)) as stream:
                        limit = self._first_event_by(started)
                        while completion is None:
                            async with asyncio.timeout_at(limit - self._ahead):
                                event = await anext(stream)
                            limit = self._deadline
                            if isinstance(event, Completion):
                                completion = event
                            else:
                                yield event
            except ProviderError as error:
                self._error = error
            except TimeoutError:
                self._error = Stalled(f"no answer within {self._time() - started:.0f} s")
                cut_short = self._time() - started < FAIR_CHANCE
            except StopAsyncIteration:
                self._error = CutStream("ended without an answer")
            recorded = not cut_short
            if self._error is not None:
                self._failed(step, self._error, self._time() - started, counts=recorded)
            elif completion is not None:
                means.health.record(candidate.route, None, means.now())
                self._answered = True
                self._note(Attempt(candidate.route, seconds=self._time() - started))
                yield self._reply(step, completion)
        finally:
            if not recorded:
                means.health.release(candidate.route)

    def _settings(self, step: Step) -> ProviderSettings:
        settings = self._means.knowledge.catalog.providers.get(step.candidate.route.provider)
        if settings is None:
            raise Misconfigured("is not configured any more")
        return settings

    def _first_event_by(self, started: float) -> float:
        """The time by which it has to begin: where others could answer too, they keep half of what is left."""
        share = 0.5 if self._others_healthy() else 1.0
        return started + (self._deadline - started) * share

    def _others_healthy(self) -> bool:
        health, now = self._means.health, self._means.now()
        return any(not s.shortage and health.check(s.candidate.route, now) is None for s in self._queue)

    def _again(self, step: Step, error: ProviderError, tries: int, seconds: float) -> bool:
        """Whether the same candidate is asked once more at once."""
        if tries >= error.retries or self._time() >= self._deadline:
            return False
        if self._means.health.check(step.candidate.route, self._means.now()) is not None:
            return False
        return seconds <= SLOW_FAILURE or not self._others_healthy()

    # What a failure leads to

    def _failed(self, step: Step, error: ProviderError, seconds: float, *, counts: bool = True) -> None:
        """Note one failed call: with the health book, if it `counts`, and on the path."""
        route, now = step.candidate.route, self._means.now()
        if counts:
            self._means.health.record(route, error, now)
        rest = self._means.health.check(route, now)
        until = rest.until if rest and rest.until > now else None
        self._note(
            Attempt(route, type(error).__name__, error.detail, seconds, until, needs_owner=error.needs_owner)
        )

    def _follow(self, step: Step, error: ProviderError) -> None:
        """What comes of a candidate that failed for good, for now."""
        route, now = step.candidate.route, self._means.now()
        if not error.moves_on:
            self._stopped = True
        elif isinstance(error, NoToolSupport) and step.request.tools:
            self._means.knowledge.teach(route, tools=False)
            candidate = replace(step.candidate, info=replace(step.candidate.info, tools=False))
            self._queue.append(step_for(candidate, self._request))
        elif isinstance(error, TooLong):
            self._means.knowledge.teach(route, context_window=error.window)
            self._exceeded = max(self._exceeded, error.window or step.candidate.info.context_window or 0)
        elif isinstance(error, Loading):
            self._wait_for(step, _Why.LOADING, now + POLL_LOADING)
        else:
            rest = self._means.health.check(route, now)
            if rest is not None and not (rest.breaker or rest.needs_owner):
                self._wait_for(step, _Why.LIMIT_ENDS, rest.until)

    def _note(self, attempt: Attempt) -> None:
        """Add to the path; the polls of a loading server are one attempt."""
        last = self.path[-1] if self.path else None
        if last and attempt.error == last.error == Loading.__name__ and attempt.route == last.route:
            self.path[-1] = replace(attempt, seconds=last.seconds + attempt.seconds)
        else:
            self.path.append(attempt)

    def _reply(self, step: Step, completion: Completion) -> ChatReply:
        return ChatReply(
            completion.message,
            completion.finish,
            completion.usage,
            step.candidate.route,
            tuple(self.path),
            completion.dropped_calls,
            step.candidate.info.tiny,
        )

    def _retry_at(self) -> float | None:
        """The earliest time at which one of the candidates may be back."""
        now = self._means.now()
        last = {attempt.route: attempt.until for attempt in self.path}
        return min((until for until in last.values() if until is not None and until > now), default=None)

"""Who may be asked next in one call: the candidates in order, then those that are worth waiting for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum, auto

from providers.admission import Admission
from providers.bill import Bill
from providers.deadline import Deadline
from providers.errors import (
    CostsMoney,
    Denied,
    Loading,
    NoImageSupport,
    NoToolSupport,
    NotSupported,
    OutOfMoney,
    ProviderError,
    RateLimited,
    TooLong,
    UnknownModel,
    Unreachable,
)
from providers.health import Rest, scopes
from providers.means import Means
from providers.plan import Step, plan, step_for
from providers.router import ROLES
from providers.thrift import STAND_INS, stand_ins, unpaid
from providers.types import Attempt, ChatRequest, RateWindow, Route

POLL_LOADING = 1.0
POLL_PROBE = 0.25


class Path:
    """Every attempt of one call, in order."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self._until: dict[tuple[Route, int], float | None] = {}

    def note(self, attempt: Attempt, key: int = 0) -> None:
        """Add one; the polls of a server that is loading are one attempt."""
        self._until[attempt.route, key] = attempt.until
        last = self.attempts[-1] if self.attempts else None
        if last and attempt.error == last.error == Loading.__name__ and attempt.route == last.route:
            self.attempts[-1] = replace(attempt, seconds=last.seconds + attempt.seconds)
        else:
            self.attempts.append(attempt)

    def earliest_return(self, now: float) -> float | None:
        """When the first of those that failed may be back (wall clock), as far as that is known."""
        return min(
            (until for until in self._until.values() if until is not None and until > now), default=None
        )


class Why(IntEnum):
    """Why a candidate is worth another try once nobody else is left; the promising first."""

    LIMIT_ENDS = auto()
    BREAKER_MAY_BE_WRONG = auto()
    LOADING = auto()


_OF_A_KEY = frozenset(error.__name__ for error in (RateLimited, Denied, OutOfMoney))
"""Failures that another key of the same provider may not have."""
COSTS = "`[limits] paid_fallback = true` in the configuration allows it"

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
        self.bill = Bill(means, request)
        self._admission = Admission(means, deadline)
        router = means.knowledge.router
        chain = router.candidates(name)
        free_only = router.unwritten(name) and not means.limits.paid_fallback
        self._unpaid = unpaid(router.catalog, chain) if free_only else frozenset()
        self._queue: deque[Step] = deque(plan(chain, request))
        self._replaceable = name in ROLES
        self._known_routes = {candidate.route for candidate in chain}
        self._stand_ins = 0
        self._later: list[_Later] = []
        self._waits: dict[tuple[Route, int, Why], int] = {}
        self._patience = means.patience
        self._too_small: list[Step] = []
        self._exceeded = 0
        self._eased: set[tuple[Route, str]] = set()
        self.can: Callable[[Step], bool] = lambda _: True
        """Whether a step's provider can be asked for what is wanted at all."""

    async def next(self) -> Step | None:
        """The next step that may be called now, its place with the health book taken; None where there is
        none.
        """
        while not self._deadline.passed:
            step, force = await self._pick()
            if step is None:
                return None
            known = await self._known(step, force=force)
            if known is not None and await self.admitted(known, force=force):
                return known
        return None

    def others_healthy(self) -> bool:
        """Whether somebody who was not asked yet could answer."""
        health, now = self._means.health, self._means.now()
        return any(
            not s.shortage
            and s.candidate.route not in self._unpaid
            and not self.bill.refuses(s)
            and health.check(s.candidate.route, now, s.key) is None
            for s in self._queue
        )

    async def admitted(self, step: Step, *, force: bool = False) -> bool:
        """Whether the step may be called now, its place among the calls under way taken; else notes why not, and
        who may be worth a try instead or later.
        """
        rest = self._unfit(step) or self.bill.hold(step)
        if rest is None:
            rest = await self._enter(step, force=force)
        if rest is not None:
            self._pass_over(step, rest)
        return rest is None

    async def _enter(self, step: Step, *, force: bool) -> Rest | None:
        entered = False
        try:
            rest = await self._admission.enter(step, force=force, others=self.others_healthy)
            entered = rest is None
        finally:
            if not entered:
                self.bill.release()
        return rest

    def heard(self) -> None:
        """The call that was admitted brought its first word."""
        self._admission.heard()

    def ended(self, step: Step, *, reported: bool) -> None:
        """The call that was admitted is over; not `reported`: without saying anything about its scopes."""
        self._admission.left()
        if not reported:
            self._means.health.release(step.candidate.route, step.key)

    def answered(self, step: Step, limits: tuple[RateWindow, ...], seconds: float) -> None:
        """Note the call that answered, with what the server told of its limits."""
        means, route = self._means, step.candidate.route
        means.health.record(route, None, means.now(), step.key)
        means.quotas.learn(route, step.key, limits)
        self._path.note(Attempt(route, detail=self._remark(step), seconds=seconds), step.key)

    def failed(self, step: Step, error: ProviderError, seconds: float, *, counts: bool = True) -> None:
        """Note one failed call: with the health book, if it `counts`, and on the path."""
        means, route, now = self._means, step.candidate.route, self._means.now()
        if counts:
            means.health.record(route, error, now, step.key)
        if error.scope == "account":
            means.free_days.refused(scopes(route, step.key)["account"], now)
        means.quotas.learn(route, step.key, error.limits)
        rest = means.health.check(route, now, step.key)
        until = rest.until if rest and rest.until > now else None
        detail = self._remark(step, error.detail)
        name, owner = type(error).__name__, error.needs_owner
        self._path.note(Attempt(route, name, detail, seconds, until, needs_owner=owner), step.key)

    def follow(self, step: Step, error: ProviderError) -> None:
        """What comes of a candidate that is not asked again at once."""
        route, now = step.candidate.route, self._means.now()
        if step.candidate.local and isinstance(error, Unreachable | UnknownModel):
            self._means.knowledge.doubt(route.provider)
        if self._eases(step, error):
            return
        if isinstance(error, TooLong):
            self._means.knowledge.teach(route, context_window=error.window)
            self._exceeded = max(self._exceeded, error.window or step.candidate.info.context_window or 0)
        elif isinstance(error, Loading):
            self._wait_for(step, Why.LOADING, now + POLL_LOADING)
        else:
            if type(error) is UnknownModel:  # one that is withheld is there for others
                self._means.knowledge.retire(route)
            rest = self._means.health.check(route, now, step.key)
            if rest is not None and not rest.breaker:
                self._wait_for(step, Why.LIMIT_ENDS, rest.until)
            self._widen(step, type(error).__name__, error.scope)

    def _eases(self, step: Step, error: ProviderError) -> bool:
        """Whether the candidate is asked again, once, without what it can't take: tools or images."""
        route, info = step.candidate.route, step.candidate.info
        if isinstance(error, NoToolSupport) and step.request.tools:
            info = replace(info, tools=False)
        elif isinstance(error, NoImageSupport) and any(m.images for m in step.request.messages):
            info = replace(info, vision=False)
        else:
            return False
        self._means.knowledge.teach(route, tools=info.tools, vision=info.vision)
        if (route, type(error).__name__) in self._eased:
            return False
        self._eased.add((route, type(error).__name__))
        self._queue.append(step.with_(replace(step.candidate, info=info), self._request))
        return True

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
        health, route = self._means.health, candidate.route
        resting = health.check(route, self._means.now(), step.key) is not None
        # Where a probe is due, it is the one call that goes out, if a model's name for it is known.
        probes = bool(route.model) and health.unproven(route, step.key)
        if knowledge.needs_asking(candidate) and (force or not resting) and not probes:
            started = self._deadline.now()
            try:
                with self._admission.asking(step):
                    await knowledge.ask(candidate, step.key)
                if not knowledge.refreshed(candidate).route.model:
                    raise UnknownModel("it lists no model")
            except ProviderError as error:
                self.failed(step, error, self._deadline.now() - started)
                self.follow(step, error)
                return None
        fresh = knowledge.refreshed(candidate)
        if fresh == candidate or any(route == eased for eased, _ in self._eased):
            return step
        step = step.with_(fresh, self._request)
        if self._request.tools and not step.request.tools and any(s.request.tools for s in self._queue):
            self._queue.append(step)
            return None
        return step

    def _unfit(self, step: Step) -> Rest | None:
        """Why the step is none for this request, whatever its server's state."""
        window = step.candidate.info.context_window
        if step.shortage or (window is not None and window <= self._exceeded):
            self._too_small += [step] if step.shortage else []
            detail = step.shortage or f"its window of {window} tokens is too small as well"
            return Rest("", 0.0, TooLong.__name__, detail)
        if not self.can(step):
            return Rest("", 0.0, NotSupported.__name__, NotSupported.summary)
        return Rest("", 0.0, CostsMoney.__name__, COSTS) if step.candidate.route in self._unpaid else None

    def _pass_over(self, step: Step, rest: Rest) -> None:
        route, until = step.candidate.route, rest.until or None
        detail, owner = self._remark(step, rest.detail), rest.needs_owner
        self._path.note(
            Attempt(route, rest.error, detail, until=until, called=False, needs_owner=owner), step.key
        )
        if rest.breaker:
            self._wait_for(step, Why.BREAKER_MAY_BE_WRONG, self._means.now())
        elif rest.until:
            self._wait_for(step, Why.LIMIT_ENDS, rest.until)
        self._widen(step, rest.error, rest.scope.partition(":")[0])

    def _widen(self, step: Step, error: str, scope: str) -> None:
        """Line up who else may do what this step can't now: the next key, and other models of its provider."""
        if (
            error in _OF_A_KEY
            and scope in ("credential", "account", "model")
            and self._keys(step) > step.key + 1
        ):
            self._queue.appendleft(replace(step, key=step.key + 1))
        if scope == "model" and error != NoToolSupport.__name__ and self._replaceable:
            self._stand_in(step, error)

    def _stand_in(self, step: Step, error: str) -> None:
        failed = step.candidate
        # A home machine that is busy is not helped by loading another model.
        if failed.local and error != UnknownModel.__name__:
            return
        for candidate in stand_ins(self._means.knowledge.catalog, failed, self._request):
            if self._stand_ins >= STAND_INS:
                return
            if candidate.route not in self._known_routes:
                self._stand_ins += 1
                self._known_routes.add(candidate.route)
                one = replace(step_for(candidate, self._request), instead_of=step.instead_of or failed.route)
                tiny = (n for n, other in enumerate(self._queue) if other.candidate.info.tiny)
                self._queue.insert(next(tiny, len(self._queue)), one)

    def _keys(self, step: Step) -> int:
        settings = self._means.knowledge.catalog.providers.get(step.candidate.route.provider)
        return len(settings.keys) if settings else 0

    def _remark(self, step: Step, detail: str = "") -> str:
        """`detail` with which key it is about, where there are several, and whom the model stands in for."""
        key = f"key {step.key + 1}" if self._keys(step) > 1 else ""
        stands = f"in place of {step.instead_of}" if step.instead_of else ""
        return ": ".join(filter(None, (", ".join(filter(None, (key, stands))), detail)))

    def _wait_for(self, step: Step, why: Why, at: float) -> None:
        place = (step.candidate.route, step.key, why)
        self._waits[place] = self._waits.get(place, 0) + 1
        near = why is Why.LOADING or at - self._means.now() <= self._patience
        if near and self._waits[place] <= WAITS[why]:
            self._later.append(_Later(step, why, at))

    async def _waited(self, later: _Later) -> bool:
        """Wait until the step's time has come, within the deadline. False if there is no use in trying it."""
        means, step = self._means, later.step
        if later.why is Why.BREAKER_MAY_BE_WRONG:
            while (rest := means.health.check(step.candidate.route, means.now(), step.key)) and rest.probing:
                if not await self._deadline.pause(POLL_PROBE):
                    return False
            return True
        wait = max(0.0, later.at - means.now())
        if later.why is Why.LIMIT_ENDS:
            if wait > self._patience:
                return False
            self._patience -= wait
        return await self._deadline.pause(wait)

"""Whether a step may be called now, by everything that is known of limits, rests and calls under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from providers.deadline import Deadline
from providers.errors import Overloaded, RateLimited, Stalled
from providers.health import Rest, pooled, scopes
from providers.means import Means
from providers.pace import HOUR
from providers.plan import Step
from providers.presets import preset_for
from providers.quota import COUNTING, FREE_A_MINUTE, used_up
from providers.tokens import estimate_tokens
from providers.types import Route


class Admission:
    """The door of one call, which holds at most one place at a time."""

    def __init__(self, means: Means, deadline: Deadline) -> None:
        self._means = means
        self._deadline = deadline
        self._inside: tuple[str, ...] = ()
        self._slot: Route | None = None

    async def enter(self, step: Step, *, force: bool, others: Callable[[], bool]) -> Rest | None:
        """Take a place for a call, or say why it isn't to be made now. Before a local server that is busy, wait for
        one of its slots. Where many try a server of which nothing was heard yet, wait for word of it first; not for
        all of the time where `others` could answer. `force` overrules a breaker.
        """
        rest: Rest | None = None
        try:
            rest = await self._queue(step, force=force) or await self._enter(step, force, others)
        except BaseException:
            self._free_slot()
            raise
        if rest is not None:
            self._free_slot()
        return rest

    async def _enter(self, step: Step, force: bool, others: Callable[[], bool]) -> Rest | None:
        means, route = self._means, step.candidate.route
        rest = self._limited(step)
        if rest is None and self._crowded(step) is not None:
            rest = await self._word(step, others) or self._limited(step)
        if rest is not None:
            rest = self._longer(step, rest)
        else:
            rest = means.health.admit(route, means.now(), step.key, force=force)
        if rest is None:
            self._take(step)
        return rest

    @contextmanager
    def asking(self, step: Step) -> Iterator[None]:
        """Count a question to the step's server among the calls under way: it may be down as well."""
        doors = _doors(step)
        self._means.crowd.enter(doors)
        try:
            yield
        finally:
            self._means.crowd.leave(doors)

    def heard(self) -> None:
        """The call that entered brought word."""
        if self._inside:
            self._means.crowd.leave(self._inside, self._means.now())
            self._inside = ()

    def left(self) -> None:
        """The call that entered is over."""
        self._free_slot()
        if self._inside:
            self._means.crowd.leave(self._inside)
            self._inside = ()

    async def _queue(self, step: Step, *, force: bool) -> Rest | None:
        """Wait in line for a slot of a local server, which may take until the deadline. Whoever else could answer is
        not asked meanwhile: the server works, and is what was wished for.
        """
        means, route = self._means, step.candidate.route
        most = step.candidate.info.slots if step.candidate.local else None
        if most is None or (not force and means.health.check(route, means.now(), step.key) is not None):
            return None
        began = self._deadline.now()
        try:
            async with self._deadline.timeout(self._deadline.share(1.0)):
                await means.slots.take(route, most)
        except TimeoutError:
            waited = self._deadline.now() - began
            return Rest("", 0.0, Overloaded.__name__, f"was busy with other answers for {waited:.0f} s")
        self._slot = route
        return None

    def _free_slot(self) -> None:
        if self._slot is not None:
            self._means.slots.leave(self._slot)
            self._slot = None

    def _longer(self, step: Step, rest: Rest) -> Rest:
        """`rest`, or what the health book says where that was named and lasts longer: who is told of a time comes back
        at it.
        """
        held = self._means.health.check(step.candidate.route, self._means.now(), step.key)
        return held if held is not None and not held.breaker and held.until > rest.until else rest

    def _limited(self, step: Step) -> Rest | None:
        """A limit that holds the step back before anybody refuses it."""
        means, route, now = self._means, step.candidate.route, self._means.now()
        rpm = self._rpm(route.provider)
        ready_at = means.pace.ready_at(route.provider, rpm, now)
        if ready_at > now:
            detail = f"the limit of {rpm} requests a minute that you set"
            return Rest("", ready_at, RateLimited.__name__, detail)
        hourly = self._hourly(route.provider)
        ready_at = means.pace.ready_at(_hours(route.provider), hourly, now, HOUR)
        if ready_at > now:
            detail = f"it takes {hourly} requests an hour from somebody without a key"
            return Rest("", ready_at, RateLimited.__name__, detail)
        short = means.quotas.shortage(route, step.key, lambda: _prompt(step), now)
        if short is not None:
            return Rest(scopes(route, step.key)["model"], short.until, RateLimited.__name__, short.detail)
        return self._pool_empty(step, now) if pooled(route.model) else None

    def _pool_empty(self, step: Step, now: float) -> Rest | None:
        """OpenRouter's limits on free models, which it tells nobody before they are reached."""
        means, account = self._means, self._pool(step)
        if account is None:
            return None
        if not means.free_days.left(account, now):
            means.health.hold(account, used_up(now), now)
            return None  # the health book says it, also in the status
        ready_at = means.pace.ready_at(account, FREE_A_MINUTE, now)
        detail = f"{FREE_A_MINUTE} free calls a minute are all it allows"
        return Rest(account, ready_at, RateLimited.__name__, detail) if ready_at > now else None

    def _pool(self, step: Step) -> str | None:
        """The scope of the allowance that a free model shares."""
        route = step.candidate.route
        settings = self._means.knowledge.catalog.providers.get(route.provider)
        preset = preset_for(route.provider, settings) if settings else None
        return scopes(route, step.key)["account"] if preset and preset.name == COUNTING else None

    def _take(self, step: Step) -> None:
        means, route, now = self._means, step.candidate.route, self._means.now()
        means.pace.note(route.provider, self._rpm(route.provider), now)
        means.pace.note(_hours(route.provider), self._hourly(route.provider), now)
        means.quotas.spend(route, step.key, lambda: _prompt(step))
        if pooled(route.model) and (account := self._pool(step)):
            means.pace.note(account, FREE_A_MINUTE, now)
            means.free_days.note(account, now)
        self._inside = _doors(step)
        means.crowd.enter(self._inside)

    def _crowded(self, step: Step) -> float | None:
        """How long to wait for word of those that are under way, in seconds; None where there is no need."""
        means, now = self._means, self._means.now()
        wait = means.crowd.wait({scope: means.health.room(scope) for scope in _doors(step)}, now)
        if wait is None or means.health.check(step.candidate.route, now, step.key) is not None:
            return None
        return wait

    async def _word(self, step: Step, others: Callable[[], bool]) -> Rest | None:
        """Wait for it. Returns a rest where none came in time."""
        began = self._deadline.now()
        limit = self._deadline.share(0.5 if others() else 1.0)
        while (wait := self._crowded(step)) is not None:
            try:
                async with self._deadline.timeout(min(began + wait, limit)):
                    await self._means.crowd.news()
            except TimeoutError:
                if began + wait <= limit:
                    return None
                return Rest("", 0.0, Stalled.__name__, "others are still waiting for its first word")
        return None

    def _rpm(self, provider: str) -> int | None:
        settings = self._means.knowledge.catalog.providers.get(provider)
        return settings.rate_limit_rpm if settings else None

    def _hourly(self, provider: str) -> int | None:
        """What a gateway takes from strangers, where we are one."""
        settings = self._means.knowledge.catalog.providers.get(provider)
        if settings is None or settings.keys:
            return None
        preset = preset_for(provider, settings)
        return preset.hourly if preset else None


def _hours(provider: str) -> str:
    return f"{provider} an hour"


def _doors(step: Step) -> tuple[str, ...]:
    """The scopes by which calls under way are counted: those whose breakers a server that is down opens."""
    known = scopes(step.candidate.route, step.key)
    return known["provider"], known["model"]


def _prompt(step: Step) -> int:
    return estimate_tokens(step.request.messages, step.request.tools)

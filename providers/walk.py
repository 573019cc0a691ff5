"""One call: its candidates are asked in turn until one answers, within one deadline.

What a failure leads to is decided by the class of the error alone (`providers.errors`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from providers.deadline import Deadline
from providers.errors import CutStream, Misconfigured, NoModel, ProviderError, Stalled
from providers.lineup import Lineup, Path
from providers.means import Means
from providers.plan import Step
from providers.settings import ProviderSettings
from providers.types import (
    ChatReply,
    ChatRequest,
    ClientEvent,
    Completion,
    ProviderEvent,
    Restart,
    TextDelta,
)
from providers.ways import Way

RETRY_PAUSE = 0.5
SLOW_FAILURE = 5.0
"""A failure that took longer than this is not repeated while somebody else could answer."""
FAIR_CHANCE = 30.0
"""Seconds without an answer that speak against a candidate; when our own deadline cut it off sooner, they
don't.
"""


class Walk:
    """Goes once; iterate over `events()`. `way` is what is asked of each candidate."""

    def __init__(self, means: Means, name: str, request: ChatRequest, way: Way) -> None:
        self._means = means
        self._way = way
        self._deadline = Deadline(request.timeout, means.sleep)
        self._path = Path()
        self._lineup = Lineup(means, name, request, self._deadline, self._path)
        self._lineup.can = self._can
        self._error: ProviderError | None = None
        self._cut_short = False
        self._answered = False

    async def events(self) -> AsyncGenerator[ClientEvent, None]:
        """Deltas, `Restart`s and at last one `ChatReply`. Raises `NoModel` where no candidate answered."""
        while step := await self._lineup.next():
            async with aclosing(self._visit(step)) as events:
                async for event in events:
                    yield event
            if self._answered:
                return
            if self._error is not None and not self._error.moves_on:
                break
        raise NoModel(tuple(self._path.attempts), self._path.earliest_return(self._means.now()))

    async def _visit(self, step: Step) -> AsyncGenerator[ClientEvent, None]:
        """Ask one candidate, and again as often as its errors allow."""
        tries = 0
        while True:
            started, shown = self._deadline.now(), False
            async with aclosing(self._call(step)) as events:
                async for event in events:
                    shown = shown or isinstance(event, TextDelta)
                    yield event
            error = self._error
            if error is None:
                return
            again = self._again(step, error, tries, self._deadline.now() - started)
            if shown:
                yield Restart(self._path.attempts[-1])
            if not again or not await self._deadline.pause(RETRY_PAUSE * (0.5 + self._means.jitter())):
                self._lineup.follow(step, error)
                return
            tries += 1
            if not await self._lineup.admitted(step):
                return

    async def _call(self, step: Step) -> AsyncGenerator[ClientEvent, None]:
        """Ask once. Leaves the outcome in `_error` and on the path, and gives back the place in the health
        book.
        """
        started = self._deadline.now()
        self._error, self._cut_short = None, False
        reported, bill = False, self._lineup.bill
        try:
            async with aclosing(self._ask(step, started)) as events:
                async for event in events:
                    bill.heard(event)
                    if isinstance(event, Completion):
                        reported = True
                        yield self._reply(step, event, started)
                    else:
                        yield event
        except ProviderError as error:
            self._error = error
            reported = not self._cut_short
            self._lineup.failed(step, error, self._deadline.now() - started, counts=reported)
            bill.failed(type(error).__name__, self._deadline.now() - started)
        finally:
            bill.close(self._deadline.now() - started)
            self._lineup.ended(step, reported=reported)

    async def _ask(self, step: Step, started: float) -> AsyncGenerator[ProviderEvent, None]:
        """One provider's events within the deadline, a completion as the last. Raises `ProviderError`."""
        route, request = step.candidate.route, await self._lineup.bill.begin()
        with self._means.registry.lease(route.provider, self._settings(step), step.key) as provider:
            async with aclosing(self._way.ask(provider, route.model, request)) as stream:
                # Where others could answer too, they keep half of the time that is left.
                until = self._deadline.share(0.5 if self._lineup.others_healthy() else 1.0)
                while True:
                    try:
                        async with self._deadline.timeout(until):
                            event = await anext(stream)
                    except StopAsyncIteration:
                        raise CutStream("ended without an answer") from None
                    except TimeoutError:
                        waited = self._deadline.now() - started
                        self._cut_short = waited < FAIR_CHANCE
                        raise Stalled(f"no answer within {waited:.0f} s") from None
                    self._lineup.heard()
                    yield event
                    if isinstance(event, Completion):
                        return
                    until = self._deadline.share(1.0)

    def _reply(self, step: Step, completion: Completion, started: float) -> ChatReply:
        candidate = step.candidate
        self._lineup.answered(step, completion.limits, self._deadline.now() - started)
        self._lineup.bill.answered(completion.usage, self._deadline.now() - started)
        self._answered = True
        return ChatReply(
            completion.message,
            completion.finish,
            completion.usage,
            candidate.route,
            tuple(self._path.attempts),
            completion.dropped_calls,
            candidate.info.tiny,
            self._lineup.bill.usd,
            self._lineup.bill.tokens,
        )

    def _can(self, step: Step) -> bool:
        """Whether its provider can be asked at all; of one that can't be made, the call says why."""
        try:
            with self._means.registry.lease(
                step.candidate.route.provider, self._settings(step), step.key
            ) as provider:
                return self._way.can(provider)
        except ProviderError:
            return True

    def _settings(self, step: Step) -> ProviderSettings:
        settings = self._means.knowledge.catalog.providers.get(step.candidate.route.provider)
        if settings is None:
            raise Misconfigured("is not configured any more")
        return settings

    def _again(self, step: Step, error: ProviderError, tries: int, seconds: float) -> bool:
        """Whether the same candidate is asked once more at once."""
        if tries >= error.retries or self._deadline.passed:
            return False
        if self._means.health.check(step.candidate.route, self._means.now(), step.key) is not None:
            return False
        return seconds <= SLOW_FAILURE or not self._lineup.others_healthy()

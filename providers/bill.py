"""What one call of the client costs, over all its candidates: held before each is asked, booked when it is over."""

from __future__ import annotations

from dataclasses import dataclass, replace

from providers.budget import LEAST_ANSWER, Hold, Refusal, Wanted
from providers.errors import Unpriced
from providers.health import Rest
from providers.ledger import ANSWERED, CANCELLED, Amount, Call
from providers.means import Means
from providers.money import cost
from providers.plan import Step
from providers.thrift import unbilled
from providers.tokens import BYTES_PER_TOKEN, estimate_tokens
from providers.types import ChatRequest, ProviderEvent, ReasoningDelta, TextDelta, Usage

MARGIN = 1.25
"""Prompts are held with this much more than the estimate: it is a rough one, and writing to a cache costs more."""
USUAL_MOST = 4096
"""How much an answer may write, in tokens, where the request doesn't say and a cap has to be kept."""


@dataclass(slots=True)
class _Open:
    """One call of a candidate: it may be made, or is under way since `at`. `heard` is its answer so far, in bytes."""

    step: Step
    paid: bool
    hold: Hold | None = None
    number: int = 0
    at: float = 0.0
    made: bool = False
    heard: int = 0


class Bill:
    """`usd` and `tokens` are what those that cost money have come to so far. Holds for one candidate at a time."""

    def __init__(self, means: Means, request: ChatRequest) -> None:
        self.usd = 0.0
        self.tokens = 0
        self._means = means
        self._request = request
        self._open: _Open | None = None

    def hold(self, step: Step) -> Rest | None:
        """Set aside what asking this candidate may cost; or why it is not to be asked."""
        paid = self._costs(step)
        hold: Hold | None = None
        if paid and self._bound:
            held = self._means.budget.hold(self._wanted(step), self._means.now())
            if isinstance(held, Refusal):
                return _rest(step, held)
            hold = held
        self._open = _Open(step, paid, hold)
        return None

    def refuses(self, step: Step) -> bool:
        """Whether this candidate could not be asked now for what it may cost."""
        if not self._bound or not self._costs(step):
            return False
        return self._means.budget.refusal(self._wanted(step), self._means.now()) is not None

    def release(self) -> None:
        """The candidate is not asked after all."""
        one, self._open = self._open, None
        if one is not None and one.hold is not None:
            self._means.budget.settle(one.hold, Amount())

    async def begin(self) -> ChatRequest:
        """The candidate is asked now. Returns its request, with what is left for the answer."""
        one = self._open
        assert one is not None  # noqa: S101 -- held before
        one.at = self._means.now()
        request = one.step.request
        if one.hold is not None and self._means.budget.binds(self._request.role):
            usage = Usage(
                one.hold.amount.tokens - one.hold.answer, one.hold.answer, seconds=self._request.seconds
            )
            one.number = await self._means.ledger.reserve(self._call(one, usage, one.hold.amount.usd))
        one.made = True
        if one.hold is None:
            return request
        return replace(request, max_tokens=one.hold.answer - _thinking(self._means, one.step))

    def heard(self, event: ProviderEvent) -> None:
        """Something of the answer came."""
        if self._open is not None and isinstance(event, TextDelta | ReasoningDelta):
            self._open.heard += len(event.text.encode("utf-8", "surrogatepass"))

    def answered(self, usage: Usage, seconds: float) -> None:
        """The candidate answered, and its server told what that took."""
        one = self._open
        if one is None:
            return
        if not usage.prompt_tokens + usage.completion_tokens:
            usage = replace(_guessed(one), usd=usage.usd)
        self._book(one, usage, seconds, ANSWERED)

    def failed(self, error: str, seconds: float) -> None:
        """The candidate failed: what came until then has to be paid for, nothing else."""
        if self._open is not None:
            self._book(self._open, _guessed(self._open) if self._open.heard else Usage(), seconds, error)

    def close(self, seconds: float) -> None:
        """Nobody waits for the answer any more, if it isn't there yet: the server has worked for what came so far."""
        one = self._open
        if one is not None and one.made:
            self._book(one, _guessed(one), seconds, CANCELLED)
        else:
            self.release()

    @property
    def _bound(self) -> bool:
        allowance = self._request.allowance
        allowed = allowance.usd is not None or allowance.tokens is not None
        return allowed or self._means.budget.binds(self._request.role)

    def _costs(self, step: Step) -> bool:
        route, price = step.candidate.route, step.candidate.info.price
        return not (price.free if price else unbilled(self._means.knowledge.catalog, route))

    def _wanted(self, step: Step) -> Wanted:
        thinking, most = _thinking(self._means, step), step.request.max_tokens or USUAL_MOST
        allowance = self._request.allowance
        usd = None if allowance.usd is None else allowance.usd - self.usd
        tokens = None if allowance.tokens is None else allowance.tokens - self.tokens
        return Wanted(
            self._request.role,
            int(_prompt(step) * MARGIN),
            most + thinking,
            min(most, LEAST_ANSWER) + thinking,
            step.candidate.info.price,
            replace(allowance, usd=usd, tokens=tokens),
            step.request.seconds,
        )

    def _book(self, one: _Open, usage: Usage, seconds: float, outcome: str) -> None:
        self._open = None
        usd = cost(one.step.candidate.info.price, usage) if one.paid or usage.usd else 0.0
        # Whatever was thought to be free and is charged all the same, counts.
        one.paid = one.paid or bool(usd)
        call = self._call(one, usage, usd, seconds, outcome)
        means, amount = self._means, Amount(usd or 0.0, usage.prompt_tokens + usage.completion_tokens)
        if one.hold is not None:
            means.budget.settle(one.hold, amount)
        elif one.paid:
            means.budget.book(self._request.role, amount, call.at)
        if one.paid:
            self.usd += amount.usd
            self.tokens += amount.tokens
        if one.number:
            means.ledger.settle(one.number, call)
        else:
            means.ledger.append(call)

    def _call(
        self, one: _Open, usage: Usage, usd: float | None, seconds: float = 0.0, outcome: str = ""
    ) -> Call:
        return Call(
            one.at,
            self._request.role,
            self._request.session,
            one.step.candidate.route,
            one.paid,
            usage,
            usd,
            seconds,
            outcome,
        )


def _rest(step: Step, refusal: Refusal) -> Rest:
    route, detail = step.candidate.route, refusal.detail
    if refusal.error is Unpriced:
        detail = f'say it in the configuration: [providers.{route.provider}] model_info."{route.model}".price'
    return Rest(
        "", refusal.until or 0.0, refusal.error.__name__, detail, needs_owner=refusal.error.needs_owner
    )


def _prompt(step: Step) -> int:
    return estimate_tokens(step.request.messages, step.request.tools)


def _guessed(one: _Open) -> Usage:
    """What a server that didn't say may have counted."""
    return Usage(_prompt(one.step), int(one.heard / BYTES_PER_TOKEN), seconds=one.step.request.seconds)


def _thinking(means: Means, step: Step) -> int:
    """What the owner lets a model think, which comes on top of its answer."""
    route = step.candidate.route
    settings = means.knowledge.catalog.providers.get(route.provider)
    told = settings.model_info.get(route.model) if settings else None
    return (told.thinking_tokens or 0) if told else 0

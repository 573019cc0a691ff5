"""Caps under any order of calls that begin, end, fail and come in between: never over, nothing lost."""

from __future__ import annotations

import math
import time

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from providers.budget import Budget, Hold, Wanted
from providers.calendar import PERIODS, Period, begin, end
from providers.ledger import Amount
from providers.money import DUST, cost, dollars
from providers.settings import Limits
from providers.types import Allowance, Price, Usage

NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
ROLES = ("reasoning", "rlm")
PRICES = st.builds(
    Price,
    prompt=st.sampled_from([0.0, 0.075, 0.1, 2, 20]),
    completion=st.sampled_from([0.0, 0.3, 1.2, 10]),
    cached=st.sampled_from([None, 0.01]),
)


class Spending(RuleBasedStateMachine):
    """Calls of two roles under four caps, in one day."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits.model_validate(
            {
                "usd_per_day": 0.05,
                "tokens_per_month": 30_000,
                "roles": {"rlm": {"usd_per_month": 0.02, "tokens_per_day": 9_000}},
            }
        )
        self.budget = Budget(self.limits)
        self.open: list[tuple[Hold, Wanted]] = []
        self.spent = dict.fromkeys(ROLES, Amount())
        self.calls = 0

    @rule(
        role=st.sampled_from(ROLES),
        prompt=st.integers(0, 5_000),
        answer=st.integers(1, 4_096),
        price=PRICES,
    )
    def ask(self, role: str, prompt: int, answer: int, price: Price) -> None:
        wanted = Wanted(role, prompt, answer, min(answer, 1_024), price)
        hold = self.budget.hold(wanted, NOON)
        if isinstance(hold, Hold):
            self.calls += 1
            assert wanted.least <= hold.answer <= answer
            self.open.append((hold, wanted))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        hold, wanted = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        prompt = data.draw(st.integers(0, wanted.prompt))
        usage = Usage(
            prompt, data.draw(st.integers(0, hold.answer)), cached_tokens=data.draw(st.integers(0, prompt))
        )
        usd = cost(wanted.price, usage)
        assert usd is not None
        amount = Amount(usd, usage.prompt_tokens + usage.completion_tokens)
        self.budget.settle(hold, amount)
        self.spent[wanted.role] += amount

    @invariant()
    def nothing_is_over_a_cap(self) -> None:
        for standing in self.budget.standings(NOON):
            # Each call may take its own rounding error along.
            assert standing.spent + standing.held <= standing.cap.most + (self.calls + 1) * DUST

    @invariant()
    def the_sums_are_those_of_the_calls(self) -> None:
        for standing in self.budget.standings(NOON):
            cap = standing.cap
            roles = [cap.role] if cap.role else ROLES
            assert math.isclose(
                standing.spent, math.fsum(cap.of(self.spent[role]) for role in roles), abs_tol=DUST
            )
            held = [h for h, w in self.open if cap.role in ("", w.role)]
            assert math.isclose(standing.held, math.fsum(cap.of(h.amount) for h in held), abs_tol=DUST)


TestSpending = Spending.TestCase


@given(
    prompt=st.integers(0, 10_000),
    answer=st.integers(1, 8_000),
    price=PRICES,
    usd=st.floats(0, 0.2),
    tokens=st.integers(0, 20_000),
)
def test_no_call_is_made_that_may_come_to_more_than_it_is_allowed(
    prompt: int, answer: int, price: Price, usd: float, tokens: int
) -> None:
    wanted = Wanted("reasoning", prompt, answer, min(answer, 1_024), price, Allowance(usd, tokens))
    hold = Budget().hold(wanted, NOON)
    if isinstance(hold, Hold):
        assert hold.amount.usd <= usd + 10 * DUST
        assert hold.amount.tokens <= tokens
    else:
        least = wanted.cost(wanted.least)
        assert least.usd > usd or least.tokens > tokens


@given(st.floats(0, 4e9), st.sampled_from(PERIODS))
def test_a_time_lies_in_its_day_and_month_and_the_next_one_begins_where_they_end(
    at: float, span: Period
) -> None:
    begins, ends = begin(span, at), end(span, at)
    assert begins <= at < ends
    assert begin(span, ends) == ends
    assert begin(span, begins) == begins


@given(st.floats(0, 1e6))
def test_what_is_spent_is_not_shown_as_nothing(amount: float) -> None:
    text = dollars(amount)
    assert (text == "$0.00") == (amount < DUST)

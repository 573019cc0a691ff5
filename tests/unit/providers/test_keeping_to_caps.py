"""Caps on what costs money: who is passed over, what is booked, and what stays exact with many calls at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from providers import errors
from providers.budget import LEAST_ANSWER
from providers.calendar import end
from providers.client import ModelClient
from providers.errors import NoModel
from providers.ledger import Amount, Call
from providers.registry import Catalog, Registry
from providers.settings import Limits, ProviderSettings
from providers.testing import Answer, Clock, ScriptedProvider
from providers.types import (
    Allowance,
    ChatReply,
    ChatRequest,
    Completion,
    Message,
    ModelInfo,
    Price,
    Route,
    TextDelta,
    Usage,
)
from tests.fakes.llm import LLMFake, Pace, Reply

NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
ASK = ChatRequest((Message("user", "hello"),), max_tokens=2_000, role="reasoning", session="terminal:me")
PRICE = {"prompt": 10, "completion": 100, "cached": 1}
"""So that an answer of 2,000 tokens costs 20 cents."""


class Book:
    """A ledger in memory."""

    def __init__(self, spent: Mapping[str, Amount] | None = None) -> None:
        self.calls: dict[int, Call] = {}
        self.reserved: list[Call] = []
        self.before = dict(spent or {})
        self.slow = asyncio.Event()
        self.slow.set()

    async def spent(self, since: float) -> Mapping[str, Amount]:
        return self.before

    async def reserve(self, call: Call) -> int:
        self.reserved.append(call)
        await self.slow.wait()
        self.calls[len(self.calls) + 1] = call
        return len(self.calls)

    def settle(self, number: int, call: Call) -> None:
        assert self.calls[number].outcome == ""
        self.calls[number] = call

    def append(self, call: Call) -> None:
        self.calls[len(self.calls) + 1] = call

    @property
    def outcomes(self) -> list[str]:
        return [call.outcome for call in self.calls.values()]


def settings(price: Mapping[str, float] | None = None, **more: object) -> ProviderSettings:
    info = {"m": {"price": price}} if price else {}
    base = {"api_base": "https://p.invalid/v1", "default_model": "m", "model_info": info}
    return ProviderSettings.model_validate({**base, **more})


def client(
    limits: Mapping[str, object],
    *answers: Answer,
    clock: Clock | None = None,
    book: Book | None = None,
    paid: ProviderSettings | None = None,
) -> tuple[ModelClient, ScriptedProvider, ScriptedProvider]:
    """A paid candidate that answers so, and a free one behind it."""
    first = ScriptedProvider(*answers, after="Paid")
    second = ScriptedProvider(after="Free")
    live = {"paid": first, "free": second}
    providers = {"paid": paid or settings(PRICE), "free": settings()}
    catalog = Catalog.of(providers, {}, {"reasoning": "paid"}, {"reasoning": ["paid", "free"]})
    clock = clock or Clock(NOON)
    made = ModelClient(
        catalog,
        Registry(lambda name, _: live[name]),
        None,
        clock,
        clock.sleep,
        limits=Limits.model_validate(limits),
        ledger=book or Book(),
    )
    return made, first, second


def used(prompt: int, completion: int, **more: Any) -> Completion:
    return Completion(Message("assistant", "Paid"), "stop", Usage(prompt, completion, **more))


def who(reply: ChatReply | NoModel) -> list[tuple[str, str, bool]]:
    return [(a.route.provider, a.error, a.called) for a in reply.path]


async def test_without_limits_everything_is_written_down_and_nothing_reserved() -> None:
    book = Book()
    models, *_ = client({}, used(1000, 200, cached_tokens=400), book=book)

    reply = await models.chat("reasoning", ASK)

    # 600 fresh at 10, 400 cached at 1, 200 written at 100 dollars for a million.
    assert reply.usd == pytest.approx((600 * 10 + 400 * 1 + 200 * 100) / 1e6)
    assert reply.paid_tokens == 1200
    assert book.reserved == []
    (call,) = book.calls.values()
    assert (call.role, call.session, str(call.route), call.paid) == (
        "reasoning",
        "terminal:me",
        "paid/m",
        True,
    )
    assert (call.usd, call.outcome, call.usage.prompt_tokens) == (reply.usd, "answered", 1000)


async def test_what_the_server_says_it_cost_stands_above_the_price() -> None:
    models, *_ = client({}, used(1000, 200, usd=0.5))
    assert (await models.chat("reasoning", ASK)).usd == 0.5


async def test_what_is_written_to_a_cache_costs_a_quarter_more() -> None:
    models, *_ = client({}, used(1000, 0, cached_tokens=200, written_tokens=400))
    reply = await models.chat("reasoning", ASK)
    assert reply.usd == pytest.approx((400 * 10 + 400 * 12.5 + 200 * 1) / 1e6)


async def test_free_models_cost_nothing_and_are_written_down_all_the_same() -> None:
    book = Book()
    models, paid, _ = client({"usd_per_day": 0}, book=book)

    reply = await models.chat("reasoning", ASK)

    assert who(reply) == [("paid", "OverLimit", False), ("free", "", True)]
    assert reply.usd == reply.paid_tokens == 0
    assert paid.asked == []
    assert book.reserved == []
    (call,) = book.calls.values()
    assert (call.paid, call.usd, call.outcome) == (False, 0.0, "answered")


async def test_what_was_thought_to_be_free_and_is_charged_counts() -> None:
    free_answer = Completion(Message("assistant", "Free"), "stop", Usage(10, 10, usd=0.4))
    models, _, free = client({"usd_per_day": 0})
    free.turns.append(free_answer)
    reply = await models.chat("reasoning", ASK)
    assert reply.usd == 0.4
    assert [s.spent for s in models.standings()] == [0.4]


async def test_a_cap_is_reached_and_free_ones_go_on_until_the_day_is_over() -> None:
    clock = Clock(NOON)
    models, *_ = client({"usd_per_day": 0.5}, *[used(10, 2000)] * 2, clock=clock)
    for _ in range(2):
        assert who(await models.chat("reasoning", ASK)) == [("paid", "", True)]

    reply = await models.chat("reasoning", ASK)

    assert who(reply) == [("paid", "OverLimit", False), ("free", "", True)]
    assert reply.path[0].until == end("day", NOON)
    assert reply.path[0].detail.startswith("$0.40 of $0.50 a day spent, and this may take $0.10")
    assert [s.level for s in models.standings()] == ["reached"]
    # The next day it answers again.
    clock.now = end("day", NOON)
    assert who(await models.chat("reasoning", ASK)) == [("paid", "", True)]
    assert [s.level for s in models.standings()] == [""]


async def test_near_a_cap_the_answer_gets_the_room_that_is_left() -> None:
    models, paid, _ = client({"usd_per_day": 0.15})
    await models.chat("reasoning", ASK)
    most = paid.asked[0].request.max_tokens
    assert most is not None
    assert LEAST_ANSWER <= most < 1_500


async def test_a_request_without_a_limit_of_its_own_gets_one_where_a_cap_has_to_be_kept() -> None:
    models, paid, _ = client({"tokens_per_day": 100_000})
    await models.chat("reasoning", replace(ASK, max_tokens=None))
    assert paid.asked[0].request.max_tokens == 4096
    models, paid, _ = client({})
    await models.chat("reasoning", replace(ASK, max_tokens=None))
    assert paid.asked[0].request.max_tokens is None


async def test_what_a_model_may_think_is_held_too() -> None:
    info = {"m": {"price": PRICE, "thinking_tokens": 5_000}}
    models, paid, _ = client({"usd_per_day": 1}, paid=settings(model_info=info))
    book = models._means.ledger
    assert isinstance(book, Book)
    await models.chat("reasoning", ASK)
    assert book.reserved[0].usage.completion_tokens == 7_000
    assert paid.asked[0].request.max_tokens == 2_000


async def test_a_roles_own_cap_binds_that_role_alone() -> None:
    models, *_ = client({"roles": {"rlm": {"usd_per_month": 0.01}}})
    assert who(await models.chat("reasoning", replace(ASK, role="rlm")))[0] == ("paid", "OverLimit", False)
    assert who(await models.chat("reasoning", ASK)) == [("paid", "", True)]


async def test_without_a_known_price_a_cap_in_money_passes_it_over_and_says_what_to_set() -> None:
    unknown = settings(api_key="sk-1")
    models, *_ = client({"usd_per_month": 5}, paid=unknown)
    reply = await models.chat("reasoning", ASK)
    assert who(reply) == [("paid", "Unpriced", False), ("free", "", True)]
    assert reply.path[0].needs_owner
    assert '[providers.paid] model_info."m".price' in reply.path[0].detail
    # A cap in tokens can be kept without.
    models, *_ = client({"tokens_per_month": 50_000}, paid=unknown)
    assert who(await models.chat("reasoning", ASK)) == [("paid", "", True)]


async def test_the_allowance_of_a_call_binds_what_costs_money_alone() -> None:
    models, *_ = client({})
    reply = await models.chat("reasoning", replace(ASK, allowance=Allowance(usd=0.01)))
    assert who(reply) == [("paid", "OverAllowance", False), ("free", "", True)]
    assert reply.path[0].until is None
    reply = await models.chat("reasoning", replace(ASK, allowance=Allowance(tokens=100)))
    assert who(reply) == [("paid", "OverAllowance", False), ("free", "", True)]
    reply = await models.chat("reasoning", replace(ASK, allowance=Allowance(usd=1, tokens=10_000)))
    assert who(reply) == [("paid", "", True)]


async def test_a_failure_costs_what_was_streamed_and_nothing_where_nothing_was() -> None:
    book = Book()
    models, *_ = client(
        {"usd_per_day": 5}, errors.Denied("no"), ["x" * 350, errors.Stalled("silent")], book=book
    )
    await models.chat("reasoning", ASK)
    models._means.health.restore({}, {}, NOON)
    models._means.health.forget({"paid"})
    reply = await models.chat("reasoning", ASK)
    assert book.outcomes[:3] == ["Denied", "answered", "Stalled"]
    assert book.calls[1].usd == 0.0
    stalled = book.calls[3]
    assert stalled.usage.completion_tokens == 100
    assert reply.usd == stalled.usd is not None
    assert [s.held for s in models.standings()] == [0.0]


async def test_leaving_early_costs_what_was_shown() -> None:
    book = Book()
    models, *_ = client({"usd_per_day": 5}, ["x" * 350, "y"], book=book)
    async with aclosing(models.stream("reasoning", ASK)) as events:
        async for event in events:
            assert event == TextDelta("x" * 350)
            break
    assert book.outcomes == ["cancelled"]
    assert book.calls[1].usage.completion_tokens == 100
    assert [s.held for s in models.standings()] == [0.0]


async def test_leaving_before_the_call_was_made_costs_nothing() -> None:
    book = Book()
    book.slow.clear()
    models, paid, _ = client({"usd_per_day": 5}, book=book)
    task = asyncio.ensure_future(models.chat("reasoning", ASK))
    while not book.reserved:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert paid.asked == []
    assert [(s.spent, s.held) for s in models.standings()] == [(0.0, 0.0)]


async def test_a_server_that_counts_nothing_is_counted_by_estimate() -> None:
    models, *_ = client({}, Completion(Message("assistant", "x" * 700), "stop"))
    reply = await models.chat("reasoning", ASK)
    assert reply.usd == pytest.approx((reply.paid_tokens - 200) * 10 / 1e6 + 200 * 100 / 1e6)


async def test_what_was_spent_before_a_restart_counts() -> None:
    models, *_ = client({"usd_per_month": 1}, book=Book({"reasoning": Amount(0.5), "rlm": Amount(0.45)}))
    await models.restore()
    assert who(await models.chat("reasoning", ASK))[0] == ("paid", "OverLimit", False)
    assert models.standings()[0].spent == 0.95


async def test_other_limits_hold_at_once_and_what_was_spent_stays_spent() -> None:
    models, *_ = client({}, used(0, 2000))
    await models.chat("reasoning", ASK)
    await models.adopt(models.catalog, Limits(usd_per_day=0.21))
    assert [s.spent for s in models.standings()] == [0.2]
    assert who(await models.chat("reasoning", ASK))[0] == ("paid", "OverLimit", False)


async def test_what_calls_under_way_hold_is_no_reason_to_rest_until_tomorrow() -> None:
    waiting = asyncio.Event()

    async def slowly(_: ChatRequest) -> Answer:
        await waiting.wait()
        return used(1, 1)

    models, paid, _ = client({"usd_per_day": 0.25})
    paid.turns.append(slowly)
    first = asyncio.ensure_future(models.chat("reasoning", ASK))
    while not paid.asked:
        await asyncio.sleep(0)
    reply = await models.chat("reasoning", ASK)
    waiting.set()
    assert who(reply)[0] == ("paid", "OverLimit", False)
    assert reply.path[0].until is None
    assert [s.level for s in models.standings()] == [""]
    await first
    assert who(await models.chat("reasoning", ASK)) == [("paid", "", True)]


async def test_twenty_turns_at_once_never_go_over_a_cap() -> None:
    """Over real sockets, with a server that counts: what it charged in all stays under the cap."""
    clock, book = Clock(NOON), Book()
    charged: list[int] = []

    def model(body: dict[str, Any]) -> Reply:
        charged.append(min(1_900, body["max_tokens"]))
        usage = {"prompt_tokens": 12, "completion_tokens": charged[-1]}
        return Reply("Hello", usage=usage, pace=Pace(wait=0.05))

    async with LLMFake() as llm, LLMFake() as free:
        llm.default = model
        real: dict[str, Any] = {"default_model": "fake-1"}
        paid = settings(api_base=llm.base_url, model_info={"fake-1": {"price": PRICE}}, **real)
        providers = {"paid": paid, "free": settings(api_base=free.base_url, **real)}
        catalog = Catalog.of(providers, {}, {"reasoning": "paid"}, {"reasoning": ["paid", "free"]})
        models = ModelClient(
            catalog, clock=clock, limits=Limits(usd_per_day=1.05, tokens_per_month=11_000), ledger=book
        )
        try:
            await asyncio.gather(*(models.chat("reasoning", ASK) for _ in range(20)))
            replies = await asyncio.gather(*(models.chat("reasoning", ASK) for _ in range(20)))
        finally:
            await models.aclose()
    cost = (len(charged) * 12 * 10 + sum(charged) * 100) / 1e6
    tokens = len(charged) * 12 + sum(charged)
    assert 9_000 < tokens <= 11_000
    assert cost <= 1.05
    assert {reply.route.provider for reply in replies} == {"free"}
    assert [s.spent for s in models.standings()] == [pytest.approx(cost), tokens]
    assert sum(call.usd or 0 for call in book.calls.values()) == pytest.approx(cost)
    assert "" not in book.outcomes


def test_the_owners_price_stands_above_the_lists_and_that_above_the_presets() -> None:
    key = {"api_key": "sk-1"}
    route = Route("openai", "gpt-6-luna")
    catalog = Catalog.of({"openai": ProviderSettings.model_validate(key)})
    assert catalog.info(route).price == Price(0.1, 0.5)
    listed = [ModelInfo("gpt-6-luna", price=Price(0.2, 0.6))]
    assert catalog.listing("openai", listed).info(route).price == Price(0.2, 0.6)
    own = {**key, "model_info": {"gpt-6-luna": {"price": PRICE}}}
    catalog = Catalog.of({"openai": ProviderSettings.model_validate(own)}).listing("openai", listed)
    assert catalog.info(route).price == Price(10, 100, 1)

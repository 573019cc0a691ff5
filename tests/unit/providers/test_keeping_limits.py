"""Limits are kept before a server has to refuse: its own, the owner's, and OpenRouter's on free models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from providers import errors
from providers.base import CountsFreeCalls
from providers.client import ModelClient
from providers.errors import NoModel
from providers.openai import OpenAIProvider
from providers.quota import FreeCalls
from providers.registry import Catalog, Registry
from providers.settings import ProviderSettings
from providers.testing import Clock, ScriptedProvider, scripted_client
from providers.types import ChatReply, ChatRequest, Completion, Message, RateWindow
from tests.fakes.llm import LLMFake, Reply
from tests.unit.providers.test_resting_and_coming_back import Store

ASK = ChatRequest((Message("user", "hello"),))
MIDNIGHT = 1_800_057_600.0
"""00:00 UTC after the clock's beginning."""


def answer(*limits: RateWindow) -> Completion:
    return Completion(Message("assistant", "Hello"), "stop", limits=limits)


def outcome(reply: ChatReply | NoModel) -> list[tuple[str, str, bool]]:
    return [(a.route.provider, a.error, a.called) for a in reply.path]


async def test_who_said_that_nothing_is_left_is_passed_over_until_the_reset() -> None:
    clock = Clock()
    until = clock.now + 360
    first = ScriptedProvider(answer(RateWindow("requests", 0, until)), after="back")
    client = scripted_client({"first": first, "second": ScriptedProvider(after="Hello")}, clock=clock)
    await client.chat("reasoning", ASK)

    reply = await client.chat("reasoning", ASK)

    assert outcome(reply) == [("first", "RateLimited", False), ("second", "", True)]
    assert reply.path[0].until == until
    assert "no requests left" in reply.path[0].detail
    assert clock.slept == []
    clock.now = until
    assert (await client.chat("reasoning", ASK)).message.content == "back"


async def test_a_sibling_model_may_still_be_called() -> None:
    first = ScriptedProvider(answer(RateWindow("requests", 0, Clock().now + 360)), after="Hello")
    client = scripted_client({"first": first})
    await client.chat("first/model", ASK)

    assert (await client.chat("first/sibling", ASK)).message.content == "Hello"


async def test_a_long_prompt_is_not_sent_where_too_few_tokens_are_left() -> None:
    clock = Clock()
    first = ScriptedProvider(
        answer(RateWindow("tokens", 500, clock.now + 30, 8000)),
        answer(RateWindow("tokens", 400, clock.now + 30, 8000)),
        after="first",
    )
    client = scripted_client({"first": first, "second": ScriptedProvider(after="second")}, clock=clock)
    await client.chat("reasoning", ASK)
    long = ChatRequest((Message("user", "word " * 1000),))

    assert (await client.chat("reasoning", long)).message.content == "second"
    assert (await client.chat("reasoning", ASK)).route.provider == "first"


async def test_the_reset_is_waited_for_where_nobody_else_can_answer() -> None:
    clock = Clock()
    only = ScriptedProvider(answer(RateWindow("requests", 0, clock.now + 12)), after="back")
    client = scripted_client({"only": only}, clock=clock)
    await client.chat("reasoning", ASK)

    assert (await client.chat("reasoning", ASK)).message.content == "back"
    assert clock.slept == [12]


@pytest.mark.parametrize(("wait", "answers"), [(59, True), (60, True), (61, False)])
async def test_a_known_wait_of_up_to_a_minute_is_worth_it_where_nobody_else_can_answer(
    wait: float, answers: bool
) -> None:
    clock = Clock()
    only = ScriptedProvider(errors.RateLimited(retry_after=wait), "back")
    client = scripted_client({"only": only}, clock=clock)

    if answers:
        assert (await client.chat("reasoning", ASK)).message.content == "back"
    else:
        with pytest.raises(NoModel) as nobody:
            await client.chat("reasoning", ASK)
        assert nobody.value.retry_at == clock.now + wait
    assert clock.slept == ([wait] if answers else [])


async def test_all_waits_of_a_call_together_take_no_more_than_a_minute() -> None:
    clock = Clock()
    only = ScriptedProvider(after=errors.RateLimited(retry_after=25))

    with pytest.raises(NoModel):
        await scripted_client({"only": only}, clock=clock).chat("reasoning", ASK)

    assert clock.slept == [25, 25]


async def test_a_wait_never_passes_the_deadline() -> None:
    clock = Clock()
    only = ScriptedProvider(errors.RateLimited(retry_after=25))

    with pytest.raises(NoModel):
        await scripted_client({"only": only}, clock=clock).chat("reasoning", replace(ASK, timeout=20))

    assert clock.slept == []


async def test_a_wait_of_fifteen_minutes_costs_nothing_where_somebody_else_can_answer() -> None:
    clock = Clock()
    first = ScriptedProvider(errors.RateLimited(retry_after=900))
    client = scripted_client({"first": first, "second": ScriptedProvider(after="Hello")}, clock=clock)

    for _ in range(3):
        assert (await client.chat("reasoning", ASK)).route.provider == "second"

    assert clock.slept == []
    assert len(first.asked) == 1


async def test_the_owners_limit_holds_for_all_keys_together() -> None:
    clock, provider = Clock(), ScriptedProvider(after="Hello")
    settings = ProviderSettings.model_validate(
        {"api_base": "https://p.invalid/v1", "api_keys": ["a", "b"], "rate_limit_rpm": 2}
    )
    client = ModelClient(Catalog.of({"p": settings}), Registry(lambda *_: provider), None, clock, clock.sleep)

    for _ in range(2):
        await client.chat("p/m", ASK)
    reply = await client.chat("p/m", ASK)

    assert [(a.error, a.called) for a in reply.path] == [("RateLimited", False), ("", True)]
    assert "that you set" in reply.path[0].detail
    assert clock.slept == [60]


class OpenRouter(ScriptedProvider):
    """A double that counts its account's free calls."""

    def __init__(self, *calls: FreeCalls | errors.ProviderError | None) -> None:
        super().__init__(after="Hello")
        self.calls = list(calls)

    async def free_calls(self) -> FreeCalls | None:
        calls = self.calls.pop(0)
        if isinstance(calls, errors.ProviderError):
            raise calls
        return calls


def openrouter(
    account: ScriptedProvider, clock: Clock, store: Store | None = None, keys: tuple[str, ...] = ("sk",)
) -> ModelClient:
    settings: dict[str, Any] = {"openrouter": {"api_keys": list(keys)}, "groq": {"api_key": "x"}}
    catalog = Catalog.of({name: ProviderSettings.model_validate(one) for name, one in settings.items()})
    return ModelClient(catalog, Registry(lambda *_: account), store, clock, clock.sleep)


async def test_free_models_share_twenty_calls_a_minute() -> None:
    clock, account = Clock(), OpenRouter()
    client = openrouter(account, clock)
    for number in range(20):
        await client.chat(f"openrouter/a/m{number % 3}:free", ASK)

    with pytest.raises(NoModel) as nobody:
        await client.chat("openrouter/openrouter/free", replace(ASK, timeout=50))

    assert nobody.value.retry_at == clock.now + 60
    assert "20 free calls a minute" in nobody.value.path[0].detail
    await client.chat("openrouter/a/paid", ASK)
    await client.chat("groq/some:free", ASK)  # not OpenRouter's pool
    assert len(account.asked) == 22
    clock.now += 60
    await client.chat("openrouter/openrouter/free", ASK)


async def test_when_the_days_calls_are_used_up_all_free_models_rest_until_midnight() -> None:
    clock, store, account = Clock(), Store(), OpenRouter(FreeCalls(48, 50))
    client = openrouter(account, clock, store)
    await client.refresh_accounts()
    await client.chat("openrouter/a:free", ASK)
    account.turns = [errors.ServerError(), errors.ServerError()]  # failed calls count as well

    with pytest.raises(NoModel):
        await client.chat("openrouter/b:free", ASK)
    with pytest.raises(NoModel) as nobody:
        await client.chat("openrouter/b:free", ASK)

    assert nobody.value.retry_at == MIDNIGHT
    assert "used up" in nobody.value.path[0].detail
    assert len(account.asked) == 2
    assert client.resting("openrouter/openrouter/free") != ()
    assert (await client.chat("openrouter/a/paid", ASK)).message.content == "Hello"
    # It is known after a restart too, and over at midnight.
    restarted = openrouter(account, clock, store)
    await restarted.restore()
    assert restarted.resting("openrouter/a:free") != ()
    clock.now = MIDNIGHT
    assert (await client.chat("openrouter/a:free", ASK)).message.content == "Hello"


async def test_each_keys_account_is_asked_for_its_own_count() -> None:
    clock, account = Clock(), OpenRouter(FreeCalls(50, 50), FreeCalls(3, 50))
    client = openrouter(account, clock, keys=("a", "b"))
    await client.refresh_accounts()

    reply = await client.chat("openrouter/a:free", ASK)

    assert [(a.detail, a.called) for a in reply.path] == [
        ("key 1: today's free calls are used up", False),
        ("key 2", True),
    ]


async def test_what_a_refusals_headers_say_does_not_shorten_the_rest_that_it_gave() -> None:
    clock = Clock()
    over = errors.RateLimited("free-models-per-day", scope="account", retry_after=3600.0)
    over.limits = (RateWindow("requests", 0, clock.now + 900),)
    models = ScriptedProvider(over, after="Hello")
    client = scripted_client({"first": models}, clock=clock)
    for _ in range(2):
        with pytest.raises(NoModel) as raised:
            await client.chat("first/a:free", ASK)
        assert [a.until for a in raised.value.path] == [clock.now + 3600]
        assert raised.value.retry_at == clock.now + 3600


async def test_the_account_is_asked_only_where_its_count_may_have_moved() -> None:
    clock, account = Clock(), OpenRouter(FreeCalls(0, 50), FreeCalls(10, 50))
    client = openrouter(account, clock)
    for _ in range(3):
        await client.refresh_accounts()
    assert len(account.calls) == 1

    for _ in range(10):
        await client.chat("openrouter/a:free", ASK)
    await client.refresh_accounts()

    assert account.calls == []


async def test_an_account_that_was_given_more_calls_goes_on_at_once() -> None:
    refused = errors.RateLimited("free-models-per-day", scope="account", retry_after=40_000)
    account = OpenRouter(FreeCalls(20, 50), FreeCalls(51, 1000))
    client = openrouter(account, Clock())
    await client.refresh_accounts()
    account.turns = [refused]
    with pytest.raises(NoModel):
        await client.chat("openrouter/a:free", ASK)
    assert client.resting("openrouter/b:free") != ()

    await client.refresh_accounts()  # a refusal is reason enough to ask

    assert (await client.chat("openrouter/b:free", ASK)).message.content == "Hello"


async def test_a_server_that_does_not_tell_is_asked_again_later() -> None:
    clock, account = Clock(), OpenRouter(errors.ServerError("hm"), None, FreeCalls(50, 50))
    client = openrouter(account, clock)

    for _ in range(3):
        await client.refresh_accounts()
        clock.now += 601

    assert account.calls == []
    assert client.resting("openrouter/a:free") != ()


async def test_headers_of_a_success_hold_the_next_call_back() -> None:
    told = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}
    async with LLMFake(Reply("Hello", headers=told)) as llm:
        client = ModelClient(Catalog.of({"p": ProviderSettings(api_base=llm.base_url)}))
        await client.chat("p/fake-1", ASK)
        with pytest.raises(NoModel) as nobody:
            await client.chat("p/fake-1", ASK)
        await client.aclose()

    assert llm.received == 1
    assert [(a.error, a.called) for a in nobody.value.path] == [("RateLimited", False)]


async def test_the_count_is_asked_for_beside_the_models_with_the_key() -> None:
    asked: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        counts = {"used": 12, "limit": 50, "remaining": 38}
        return httpx.Response(200, json={"data": {"label": "x", "free_model_daily_requests": counts}})

    settings = ProviderSettings.model_validate({"api_base": "https://openrouter.ai/api/v1", "api_key": "sk"})
    provider = OpenAIProvider("openrouter", settings, httpx.MockTransport(server))

    assert await provider.free_calls() == FreeCalls(12, 50)
    assert isinstance(provider, CountsFreeCalls)
    await provider.aclose()
    [request] = asked
    assert (request.method, str(request.url)) == ("GET", "https://openrouter.ai/api/v1/key")
    assert request.headers["authorization"] == "Bearer sk"

"""Anthropic's protocol on real sockets, against a server that does what servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest

from providers import errors
from providers.anthropic import AnthropicProvider
from providers.errors import ProviderError
from providers.presets import complete
from providers.registry import create
from providers.settings import ProviderSettings
from providers.types import (
    ChatRequest,
    Completion,
    Message,
    ModelInfo,
    ProviderEvent,
    ReasoningDelta,
    Route,
    TextDelta,
    Thoughts,
    ToolDef,
    Usage,
)
from tests.fakes import llm as fake
from tests.fakes.llm import Fault, Framing, LLMFake, Pace, Reply, Setup
from tests.fakes.llm.errors import anthropic

ASK = ChatRequest((Message("user", "hello there"),))
TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
WITH_TOOLS = ChatRequest((Message("user", "look"),), (TOOL,))
PING = 'event: ping\ndata: {"type": "ping"}'
QUICK: dict[str, Any] = {"first_token_timeout": 0.15, "between_tokens_timeout": 0.15}


@asynccontextmanager
async def serving(
    *replies: Reply, setup: Setup | None = None, **settings: Any
) -> AsyncIterator[tuple[LLMFake, AnthropicProvider]]:
    async with LLMFake(*replies, setup=setup) as llm:
        provider = AnthropicProvider("p", ProviderSettings(api_base=llm.base_url, **settings))
        try:
            yield llm, provider
        finally:
            await provider.aclose()


async def ask(provider: AnthropicProvider, request: ChatRequest = ASK) -> list[ProviderEvent]:
    async with aclosing(provider.stream("fake-1", request)) as events:
        return [event async for event in events]


async def answer(provider: AnthropicProvider, request: ChatRequest = ASK) -> Completion:
    completion = (await ask(provider, request))[-1]
    assert isinstance(completion, Completion)
    return completion


async def failure(reply: Reply, request: ChatRequest = ASK, **settings: Any) -> ProviderError:
    async with serving(reply, **settings) as (_, provider):
        with pytest.raises(ProviderError) as failed:
            await ask(provider, request)
    return failed.value


async def test_a_conversation_is_sent_and_its_answer_streamed() -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 2}
    async with serving(Reply(("Hel", "lo"), reasoning="hm", usage=usage)) as (llm, provider):
        events = await ask(provider)

        block = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
        kept = Thoughts(Route("p", "fake-1"), (block,))
        assert events == [
            ReasoningDelta("h"),
            ReasoningDelta("m"),
            TextDelta("Hel"),
            TextDelta("lo"),
            Completion(Message("assistant", "Hello", thoughts=kept), "stop", Usage(9, 2, 4)),
        ]
        [request] = llm.requests
        assert request.path == "/v1/messages"
        assert request.headers["anthropic-version"] == "2023-06-01"
        assert "authorization" not in request.headers
        assert "x-api-key" not in request.headers


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
async def test_the_key_goes_along_in_its_own_header_to_either_form_of_address(path: str) -> None:
    async with LLMFake(setup=Setup(key="sk-ant-1")) as llm:
        settings = ProviderSettings.model_validate({"api_base": llm.url + path, "api_key": "sk-ant-1"})
        provider = AnthropicProvider("p", settings)
        assert (await answer(provider)).message.content == "You said: hello there"
        await provider.aclose()

        assert llm.requests[0].headers["x-api-key"] == "sk-ant-1"
        assert "authorization" not in llm.requests[0].headers


async def test_a_wrong_key_is_denied() -> None:
    assert isinstance(await failure(Reply(), setup=Setup(key="a"), api_key="b"), errors.Denied)


async def test_tool_calls_and_their_results_go_round() -> None:
    calls = (fake.ToolCall("look", {"at": "x"}), fake.ToolCall("look", {"at": "yü"}))
    async with serving(Reply("Looking.", calls)) as (_, provider):
        first = await answer(provider, WITH_TOOLS)
        made = first.message.tool_calls
        assert [(call.name, call.arguments) for call in made] == [
            ("look", {"at": "x"}),
            ("look", {"at": "yü"}),
        ]

        results = [Message("tool", "a cat", tool_call_id=call.id) for call in made]
        second = await answer(provider, ChatRequest((*WITH_TOOLS.messages, first.message, *results), (TOOL,)))

    assert second.message.content == "The tool said: a cat"  # the strict fake accepted the history


FRAMINGS = [
    Framing(newline="\r\n"),
    Framing(space=False),
    Framing(lines=True),
    Framing(cut=1),
    Framing(gzip=True),
    Framing(malformed_at=1),
    Framing(answer="json"),
]


@pytest.mark.parametrize("framing", FRAMINGS, ids=repr)
async def test_the_same_answer_in_every_framing(framing: Framing) -> None:
    async with serving(Reply("Grüße, 世界 🌍", framing=framing)) as (_, provider):
        assert (await answer(provider)).message.content == "Grüße, 世界 🌍"


FAILURES = [
    (
        400,
        anthropic("invalid_request_error", "prompt is too long: 9000 tokens > 8192 maximum"),
        errors.TooLong,
    ),
    (400, anthropic("invalid_request_error", "Your credit balance is too low to access"), errors.OutOfMoney),
    (400, anthropic("invalid_request_error", "messages: something is wrong"), errors.BadRequest),
    (401, anthropic("authentication_error", "invalid x-api-key"), errors.Denied),
    (402, anthropic("billing_error", "Pay."), errors.OutOfMoney),
    (403, anthropic("permission_error", "Not yours."), errors.Denied),
    (404, anthropic("not_found_error", "model: nobody"), errors.UnknownModel),
    (413, anthropic("request_too_large", "Request exceeds the maximum size"), errors.TooLong),
    (429, anthropic("rate_limit_error", "Slow down."), errors.RateLimited),
    (
        429,
        anthropic("rate_limit_error", "Spent.", error_code="enforced_spend_limit_reached"),
        errors.OutOfMoney,
    ),
    (500, anthropic("api_error", "Internal server error"), errors.ServerError),
    (504, anthropic("timeout_error", "Too slow."), errors.ServerError),
    (529, anthropic("overloaded_error", "Overloaded"), errors.Overloaded),
]


@pytest.mark.parametrize(("status", "body", "kind"), FAILURES)
async def test_a_refusal_is_of_its_class(status: int, body: Any, kind: type[ProviderError]) -> None:
    assert type(await failure(Reply.error(status, body))) is kind


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize(
    ("body", "kind"),
    [(b, k) for _, b, k in FAILURES if k not in (errors.BadRequest, errors.UnknownModel)],
)
async def test_an_error_inside_of_a_stream_is_of_the_same_class(
    after: int, body: Any, kind: type[ProviderError]
) -> None:
    reply = Reply("one two three four", fault=Fault("error", after, body, event="error"))

    assert type(await failure(reply)) is kind


@pytest.mark.parametrize("kind", ["end", "close", "reset"])
@pytest.mark.parametrize("after", [0, 2, fake.ALL_DELTAS])
async def test_a_stream_that_breaks_off_is_cut(kind: Any, after: int) -> None:
    assert type(await failure(Reply.broken(kind, after, "one two three"))) is errors.CutStream


async def test_a_stream_without_its_last_event_is_cut() -> None:
    assert type(await failure(Reply("Hello", framing=Framing(done=False)))) is errors.CutStream


async def test_a_stream_cut_inside_of_a_call_returns_none() -> None:
    cut = Reply.cut_arguments("look", {"at": "x"}, "end")

    assert type(await failure(cut, WITH_TOOLS)) is errors.CutStream


async def test_a_call_that_the_token_limit_cut_is_left_out_and_counted() -> None:
    async with serving(Reply.length("look", '{"at": "')) as (_, provider):
        completion = await answer(provider, WITH_TOOLS)

    assert completion.message.tool_calls == ()
    assert (completion.dropped_calls, completion.finish) == (1, "length")


async def test_pings_are_no_progress() -> None:
    pings = Reply("late", pace=Pace(heartbeats=200, every=0.01, heartbeat=PING))

    assert type(await failure(pings, **QUICK)) is errors.Stalled


async def test_pings_before_the_answer_do_not_hurt() -> None:
    async with serving(Reply("Hello", pace=Pace(heartbeats=3, heartbeat=PING))) as (_, provider):
        assert (await answer(provider)).message.content == "Hello"


async def test_silence_in_the_middle_of_an_answer_ends_it() -> None:
    assert type(await failure(Reply.broken("hang", 2, "one two three"), **QUICK)) is errors.Stalled


async def test_a_refused_parameter_is_not_sent_again() -> None:
    refusal = Reply.error(400, anthropic("invalid_request_error", "Unsupported parameter: 'temperature'"))
    async with serving(refusal) as (llm, provider):
        for _ in range(2):
            await answer(provider, ChatRequest(ASK.messages, temperature=0.5))

        assert ["temperature" in request.body for request in llm.requests] == [True, False, False]


async def test_a_parameter_without_which_there_is_no_request_is_not_left_out_for_ever() -> None:
    refusal = Reply.error(400, anthropic("invalid_request_error", "Unsupported parameter: 'max_tokens'"))
    async with serving(refusal, refusal) as (llm, provider):
        with pytest.raises(errors.UnknownParameter):
            await asyncio.wait_for(ask(provider), 5)
        assert len(llm.requests) == 1


async def test_its_models_are_listed_with_their_windows() -> None:
    rows = [{"type": "model", "id": "claude-opus-5-5", "max_input_tokens": 1_000_000, "max_tokens": 64_000}]
    asked: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"data": rows, "has_more": False})

    settings = ProviderSettings.model_validate(
        {"api_base": "https://api.anthropic.com", "api_key": "sk-ant-1"}
    )
    provider = AnthropicProvider("p", settings, httpx.MockTransport(serve))
    assert await provider.models() == (ModelInfo("claude-opus-5-5", 1_000_000),)
    await provider.aclose()

    assert str(asked[0].url) == "https://api.anthropic.com/v1/models?limit=1000"
    assert asked[0].headers["x-api-key"] == "sk-ant-1"


@pytest.mark.parametrize("base", [None, "https://api.anthropic.com", "https://api.anthropic.com/v1"])
async def test_a_key_is_all_that_the_preset_needs(base: str | None) -> None:
    settings = complete("anthropic", ProviderSettings.model_validate({"api_key": "k", "api_base": base}), {})

    provider = create("anthropic", settings)

    assert settings.kind == "anthropic"
    assert isinstance(provider, AnthropicProvider)
    await provider.aclose()

"""The provider on real sockets, against a server that does what servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from providers import errors
from providers.errors import ProviderError
from providers.openai import OpenAIProvider
from providers.settings import ProviderSettings
from providers.types import (
    ChatRequest,
    Completion,
    Message,
    ModelInfo,
    ProviderEvent,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolDef,
    Usage,
)
from tests.fakes import llm as fake
from tests.fakes.llm import CallStyle, Fault, Framing, LLMFake, Pace, Reply, Setup

ASK = ChatRequest((Message("user", "hello there"),))
TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
WITH_TOOLS = ChatRequest((Message("user", "look"),), (TOOL,))


@asynccontextmanager
async def serving(
    *replies: Reply, setup: Setup | None = None, **settings: Any
) -> AsyncIterator[tuple[LLMFake, OpenAIProvider]]:
    async with LLMFake(*replies, setup=setup) as llm:
        provider = OpenAIProvider("p", ProviderSettings(api_base=llm.base_url, **settings))
        try:
            yield llm, provider
        finally:
            await provider.aclose()


async def ask(
    provider: OpenAIProvider, request: ChatRequest = ASK, model: str = "fake-1"
) -> list[ProviderEvent]:
    async with aclosing(provider.stream(model, request)) as events:
        return [event async for event in events]


async def answer(provider: OpenAIProvider, request: ChatRequest = ASK) -> Completion:
    completion = (await ask(provider, request))[-1]
    assert isinstance(completion, Completion)
    return completion


async def test_a_conversation_is_sent_and_its_answer_streamed() -> None:
    async with serving(Reply(("Hel", "lo"), usage={"prompt_tokens": 9, "completion_tokens": 2})) as (
        llm,
        provider,
    ):
        events = await ask(provider)

        assert events == [
            TextDelta("Hel"),
            TextDelta("lo"),
            Completion(Message("assistant", "Hello"), "stop", Usage(9, 2)),
        ]
        [request] = llm.requests
        assert request.body["messages"] == [{"role": "user", "content": "hello there"}]
        assert request.body["model"] == "fake-1"
        assert "authorization" not in request.headers


async def test_the_key_goes_along() -> None:
    async with serving(setup=Setup(key="sk-right"), api_key="sk-right") as (_, provider):
        assert (await answer(provider)).message.content == "You said: hello there"


@pytest.mark.parametrize("status", [200, 401])
async def test_a_key_that_the_server_repeats_is_not_shown(status: int) -> None:
    refusal = Reply.error(status, {"error": {"message": "hunter2 is no key", "code": 401}})
    async with serving(refusal, api_key="hunter2") as (_, provider):
        with pytest.raises(errors.Denied) as failed:
            await ask(provider)

    assert failed.value.detail == "… is no key"


async def test_a_tool_call_and_its_result_go_round() -> None:
    async with serving(Reply.tool("look", {"at": "x"})) as (llm, provider):
        first = await answer(provider, WITH_TOOLS)
        [call] = first.message.tool_calls
        assert (call.name, call.arguments) == ("look", {"at": "x"})

        history = (*WITH_TOOLS.messages, first.message, Message("tool", "a cat", tool_call_id=call.id))
        second = await answer(provider, ChatRequest(history, (TOOL,)))

        assert second.message.content == "The tool said: a cat"  # the strict fake accepted the history
        assert llm.requests[0].body["tools"][0]["function"]["name"] == "look"


STYLES = [
    CallStyle(),
    CallStyle(fragments=0),
    CallStyle(index=False),
    CallStyle(repeat_head=True),
    CallStyle(empty_name=True),
    CallStyle(fragments=0, as_object=True),
    CallStyle(same_id=True),
    CallStyle(interleaved=True),
]


@pytest.mark.parametrize("style", STYLES, ids=repr)
async def test_tool_calls_in_every_spelling(style: CallStyle) -> None:
    calls = (fake.ToolCall("look", {"at": "x"}), fake.ToolCall("look", {"at": "yü"}))
    async with serving(Reply(None, calls, calls_as=style)) as (_, provider):
        made = (await answer(provider, WITH_TOOLS)).message.tool_calls

    assert [(call.name, call.arguments) for call in made] == [("look", {"at": "x"}), ("look", {"at": "yü"})]
    assert len({call.id for call in made}) == 2


FRAMINGS = [
    Framing(newline="\r\n"),
    Framing(space=False),
    Framing(lines=True),
    Framing(cut=1),
    Framing(cut=7),
    Framing(gzip=True),
    Framing(done=False),
    Framing(malformed_at=1),
    Framing(answer="json"),
]


@pytest.mark.parametrize("framing", FRAMINGS, ids=repr)
async def test_the_same_answer_in_every_framing(framing: Framing) -> None:
    async with serving(Reply("Grüße, 世界 🌍", framing=framing)) as (_, provider):
        assert (await answer(provider)).message.content == "Grüße, 世界 🌍"


@pytest.mark.parametrize("place", ["reasoning_content", "reasoning", "reasoning_details"])
async def test_thoughts_in_every_field(place: Any) -> None:
    async with serving(Reply("Hello", reasoning="I wonder", reasoning_as=place)) as (_, provider):
        events = await ask(provider)

    thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    assert thoughts == "I wonder"
    assert isinstance(events[-1], Completion)
    assert events[-1].message.content == "Hello"


@pytest.mark.parametrize("opening", [True, False])
async def test_thoughts_inside_the_text(opening: bool) -> None:
    async with serving(Reply.thinking("I wonder", "Hello", opening=opening)) as (_, provider):
        assert (await answer(provider)).message.content == "Hello"


FAULTS: list[tuple[Reply, type[ProviderError]]] = [
    (Reply.error(500, {"error": {"message": "x"}}), errors.ServerError),
    (Reply.error(401, {"error": {"message": "bad key"}}), errors.Denied),
    (Reply.error(429, {"error": {"message": "slow"}}, retry_after="7"), errors.RateLimited),
    (Reply.html(), errors.ServerError),
    (Reply.html(502), errors.ServerError),
    (Reply.html(404), errors.Misconfigured),
    (Reply.redirect(), errors.ServerError),
    (Reply.broken("end", 0, "one two three"), errors.CutStream),
    (Reply.broken("end", 2, "one two three"), errors.CutStream),
    (Reply.broken("close", None), errors.Unreachable),
    (Reply.broken("close", 0, "one two three"), errors.CutStream),
    (Reply.broken("close", 2, "one two three"), errors.CutStream),
    (Reply.broken("reset", None), errors.Unreachable),
    (Reply.broken("reset", 2, "one two three"), errors.CutStream),
    (Reply.broken("hang", None), errors.Stalled),
    (Reply.broken("hang", 0, "one two three"), errors.Stalled),
    (Reply.broken("hang", 2, "one two three"), errors.Stalled),
    (Reply.cut_arguments("look", {"at": "somewhere"}, "end"), errors.CutStream),
    (Reply.cut_arguments("look", {"at": "somewhere"}, "close"), errors.CutStream),
    (Reply("", choices=False), errors.Empty),
    (Reply(""), errors.Empty),
    (Reply("Hel", finish="error"), errors.ServerError),
    (Reply("x", fault=Fault("error", 0, {"error": {"code": 429, "message": "slow"}})), errors.RateLimited),
    (Reply("x y", fault=Fault("error", 1, {"error": "broke"})), errors.ServerError),
    (Reply("x y", fault=Fault("error", 1, {"message": "broke"}, "error")), errors.ServerError),
    (
        Reply("x y", fault=Fault("error", 1, {"object": "error", "message": "m", "code": 503})),
        errors.Overloaded,
    ),
    (
        Reply("x", fault=Fault("error", 0, {"error": "greater than the context length"}, "error")),
        errors.TooLong,
    ),
    (Reply.error(200, {"error": {"code": 502, "message": "x"}}), errors.ServerError),
    (Reply.error(200, {"choices": []}), errors.Empty),
    (Reply.error(200, {"choices": [{"error": {"code": 429, "message": "m"}}]}), errors.RateLimited),
]


@pytest.mark.parametrize(("reply", "expected"), FAULTS, ids=lambda value: repr(value)[-70:])
async def test_every_fault_is_an_error_of_its_class(reply: Reply, expected: type[ProviderError]) -> None:
    # Little time only where it has to run out: a busy machine is slow, too.
    seconds = 0.3 if expected is errors.Stalled else 20
    async with serving(reply, first_token_timeout=seconds, between_tokens_timeout=seconds) as (llm, provider):
        with pytest.raises(ProviderError) as failed:
            await ask(provider, WITH_TOOLS)

        assert type(failed.value) is expected
        assert len(llm.requests) == 1
        await llm.until(lambda: llm.requests[0].outcome != "running")


async def test_a_call_cut_off_by_the_token_limit_is_left_out_and_counted() -> None:
    async with serving(Reply.length("look", '{"at": "some')) as (_, provider):
        completion = await answer(provider, WITH_TOOLS)

    assert completion.message.tool_calls == ()
    assert (completion.dropped_calls, completion.finish) == (1, "length")


async def test_a_redirect_is_not_followed() -> None:
    async with serving(Reply.redirect(), api_key="secret") as (llm, provider):
        with pytest.raises(errors.ServerError, match="redirects"):
            await ask(provider)

        assert not llm.probes


async def test_heartbeats_do_not_count_as_progress() -> None:
    beating = Reply("Hello", pace=Pace(heartbeats=1000, every=0.01))
    async with serving(beating, first_token_timeout=0.15) as (_, provider):
        started = asyncio.get_running_loop().time()
        with pytest.raises(errors.Stalled):
            await ask(provider)

    assert asyncio.get_running_loop().time() - started < 1


async def test_heartbeats_and_then_an_answer_are_an_answer() -> None:
    async with serving(Reply("Hello", pace=Pace(heartbeats=10, every=0.005))) as (_, provider):
        assert (await answer(provider)).message.content == "Hello"


class Held(httpx.AsyncByteStream):
    """Says everything and then never ends."""

    def __init__(self, *said: str) -> None:
        self.said = said

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for text in self.said:
            yield text.encode()
        await asyncio.Event().wait()


@pytest.mark.looptime
async def test_a_server_that_holds_the_line_after_its_answer_has_answered() -> None:
    said = 'data: {"choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]}\n\n'
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Held(said)))
    provider = OpenAIProvider("p", ProviderSettings(api_base="https://cloud.example.com/v1"), transport)
    started = asyncio.get_running_loop().time()

    assert (await answer(provider)).message.content == "Hello"
    assert asyncio.get_running_loop().time() - started == pytest.approx(2)
    await provider.aclose()


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("base", "seconds"), [("https://cloud.example.com/v1", 60), ("http://127.0.0.1:1/v1", 300)]
)
async def test_how_long_the_first_token_may_take(base: str, seconds: float) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Held(": busy\n\n")))
    provider = OpenAIProvider("p", ProviderSettings(api_base=base), transport)
    started = asyncio.get_running_loop().time()

    with pytest.raises(errors.Stalled):
        await ask(provider)
    assert asyncio.get_running_loop().time() - started == pytest.approx(seconds)
    await provider.aclose()


async def test_closing_the_stream_closes_the_connection() -> None:
    async with serving(Reply("one two three four", pace=Pace(hold="never", hold_at=2))) as (llm, provider):
        stream = provider.stream("fake-1", ASK)
        await anext(stream)
        await stream.aclose()

        await llm.until(lambda: llm.requests[0].outcome == "left", timeout=1)


async def test_connections_are_used_again() -> None:
    async with serving() as (llm, provider):
        for _ in range(5):
            await ask(provider)

        assert llm.connections == 1


async def test_a_pooled_connection_that_the_server_closed_is_replaced_without_a_word() -> None:
    async with serving(setup=Setup(kind="llama-server")) as (llm, provider):
        for _ in range(20):
            assert (await answer(provider)).message.content == "You said: hello there"

        assert len(llm.requests) == 20


async def test_a_dropped_connection_is_replaced_once_only() -> None:
    async with serving(Reply("Hello"), *[Reply.broken("close")] * 3) as (llm, provider):
        await ask(provider)
        with pytest.raises(errors.Unreachable):
            await ask(provider)

        assert len(llm.requests) == 3


@pytest.mark.parametrize(
    ("message", "gone", "instead"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model.",
            "max_tokens",
            "max_completion_tokens",
        ),
        (
            "Unsupported value: 'temperature' does not support 0.5 with this model.",
            "temperature",
            "max_tokens",
        ),
    ],
)
async def test_a_refused_parameter_is_left_out_from_then_on(message: str, gone: str, instead: str) -> None:
    refusal = Reply.error(400, {"error": {"message": message, "type": "invalid_request_error"}})
    request = ChatRequest(ASK.messages, max_tokens=50, temperature=0.5)
    async with serving(refusal) as (llm, provider):
        await ask(provider, request)
        await ask(provider, request)

        assert [gone in recorded.body for recorded in llm.requests] == [True, False, False]
        assert all(recorded.body.get(instead) for recorded in list(llm.requests)[1:])


async def test_a_parameter_that_can_not_be_left_out_is_an_error_at_once() -> None:
    refusal = Reply.error(400, {"error": {"message": "Unknown parameter: 'messages'."}})
    async with serving(*[refusal] * 5) as (llm, provider):
        with pytest.raises(errors.UnknownParameter):
            await ask(provider)

        assert len(llm.requests) == 1


async def test_a_server_that_takes_no_tools_at_all_lacks_them() -> None:
    refusal = Reply.error(400, {"error": {"message": "Unknown parameter: 'tools'."}})
    async with serving(refusal) as (_, provider):
        with pytest.raises(errors.NoToolSupport):
            await ask(provider, WITH_TOOLS)


async def test_loading_is_told_apart() -> None:
    async with serving(setup=Setup(kind="llama-server")) as (llm, provider):
        llm.load_for(60)
        with pytest.raises(errors.Loading):
            await ask(provider)
        with pytest.raises(errors.Loading):
            await provider.models()


async def test_the_window_is_learned_from_the_refusal() -> None:
    setup = Setup(kind="llama-server", n_ctx=512, window_enforced=True)
    async with serving(setup=setup) as (_, provider):
        with pytest.raises(errors.TooLong) as failed:
            await ask(provider, ChatRequest((Message("user", "word " * 4000),)))

    assert isinstance(failed.value, errors.TooLong)
    assert failed.value.window == 512


async def test_nobody_listens() -> None:
    provider = OpenAIProvider("p", ProviderSettings(api_base="http://127.0.0.1:1/v1"))
    with pytest.raises(errors.Unreachable):
        await ask(provider)
    with pytest.raises(errors.Unreachable):
        await provider.models()
    await provider.aclose()


def at_home(name: str, window: int, tools: bool, **more: Any) -> ModelInfo:
    """What a local server tells that holds a model in memory, which has no eyes."""
    return replace(ModelInfo(name, window, tools, vision=False, slots=1, loaded=True), **more)


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        (Setup(models=("a", "b")), [ModelInfo("a"), ModelInfo("b")]),
        (Setup(kind="llama-server", n_ctx=4096), [at_home("fake-1", 4096, True)]),
        (Setup(kind="llama-server", tools=False), [at_home("fake-1", 8192, False)]),
        (
            Setup(kind="ollama", models=("a", "b")),
            [at_home("a", 8192, True, thinks=False), at_home("b", 4096, True, thinks=False, loaded=False)],
        ),
        (Setup(kind="ollama", tools=False), [at_home("fake-1", 8192, False, thinks=False)]),
        (Setup(kind="lm-studio", models=("a-32b",)), [at_home("a-32b", 8192, True, tier="capable")]),
        (Setup(kind="vllm"), [ModelInfo("fake-1", 8192)]),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
async def test_what_a_server_tells_of_its_models(setup: Setup, expected: list[ModelInfo]) -> None:
    async with serving(setup=setup) as (llm, provider):
        assert list(await provider.models()) == expected
        assert not llm.requests


async def test_a_web_page_is_no_list_of_models() -> None:
    async with serving(setup=Setup(kind="website")) as (_, provider):
        with pytest.raises(errors.ServerError, match="web page"):
            await provider.models()


async def test_a_cloud_list_is_taken_as_it_is() -> None:
    bodies: list[Any] = [
        [{"id": "bare", "context_length": 4096}],
        {"data": [{"id": "models/gemini-x"}, {"id": "text-embedding-3"}, {"id": 7}, "plain"]},
        {"data": [{"id": "m", "max_context_length": 32768, "capabilities": {"function_calling": False}}]},
    ]
    seen: list[list[ModelInfo]] = []
    for body in bodies:
        transport = httpx.MockTransport(lambda _, body=body: httpx.Response(200, json=body))
        settings = ProviderSettings(api_base="https://cloud.example.com/v1")
        provider = OpenAIProvider("p", settings, transport)
        seen.append(list(await provider.models()))
        await provider.aclose()

    assert seen == [
        [ModelInfo("bare", 4096)],
        [ModelInfo("gemini-x"), ModelInfo("7"), ModelInfo("plain")],
        [ModelInfo("m", 32768, False)],
    ]


async def test_a_tool_call_written_as_text_is_made() -> None:
    text = '<tool_call>{"name": "look", "arguments": {"at": "x"}}</tool_call>'
    async with serving(Reply(text)) as (_, provider):
        [call] = (await answer(provider, WITH_TOOLS)).message.tool_calls

    assert call == ToolCall(call.id, "look", {"at": "x"})

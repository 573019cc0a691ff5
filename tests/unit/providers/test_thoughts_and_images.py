"""What a model wants back, what it can't see, and what its vendor alone insists on: on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from providers import errors
from providers.anthropic import AnthropicProvider
from providers.client import ModelClient
from providers.openai import OpenAIProvider
from providers.plan import UNSEEN, step_for
from providers.registry import Catalog
from providers.router import Candidate
from providers.settings import ProviderSettings
from providers.types import ChatReply, ChatRequest, Completion, Image, Message, Route, ToolCall, ToolDef
from tests.fakes.llm import LLMFake, Reply, Setup
from tests.fakes.llm.errors import anthropic, openai
from tests.fakes.llm.peers import Want
from tests.fakes.llm.replies import ToolCall as Called

TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
QUESTION = Message("user", "look")
FOREIGN = (
    QUESTION,
    Message("assistant", "", (ToolCall("call_abc-123", "look", {}),)),
    Message("tool", "a cat", tool_call_id="call_abc-123"),
)
PHOTO = Image("image/png", b"\x89PNG")
LOOK = Reply.tool("look", {"at": "x"}, reasoning="Hm. Let me see.")
THINKING = {"fake-1": {"thinking_tokens": 1024}}


@asynccontextmanager
async def claude(*replies: Reply, wants: tuple[Want, ...] = (), **settings: Any) -> AsyncIterator[Any]:
    async with LLMFake(*replies, setup=Setup(wants=wants)) as llm:
        provider = AnthropicProvider("p", ProviderSettings(api_base=llm.base_url, **settings))
        try:
            yield llm, provider
        finally:
            await provider.aclose()


@asynccontextmanager
async def chat(*replies: Reply, wants: tuple[Want, ...] = (), name: str = "p") -> AsyncIterator[Any]:
    async with LLMFake(*replies, setup=Setup(wants=wants)) as llm:
        provider = OpenAIProvider(name, ProviderSettings(api_base=llm.base_url))
        try:
            yield llm, provider
        finally:
            await provider.aclose()


async def ask(provider: Any, *said: Message, **more: Any) -> Message:
    request = ChatRequest(said, (TOOL,), **more)
    events = [event async for event in provider.stream("fake-1", request)]
    assert isinstance(events[-1], Completion)
    return events[-1].message


def answered(message: Message) -> tuple[Message, ...]:
    """A question, a model's calls, and their results."""
    return QUESTION, message, *(Message("tool", "a cat", tool_call_id=c.id) for c in message.tool_calls)


# Anthropic


async def test_thinking_is_asked_for_where_the_owner_says_so_and_goes_back_with_its_signature() -> None:
    async with claude(LOOK, model_info=THINKING) as (llm, provider):
        made = await ask(provider, QUESTION, max_tokens=100, temperature=0.3)
        await ask(provider, *answered(made), max_tokens=100, temperature=0.3)

    first, second = (request.body for request in llm.requests)
    assert first["thinking"] == second["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert (first["max_tokens"], "temperature" in first) == (1124, False)
    assert [b["type"] for b in second["messages"][1]["content"]] == ["thinking", "tool_use"]
    assert second["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "Hm. Let me see.",
        "signature": "c2ln",
    }


async def test_nobody_else_asks_for_it() -> None:
    async with claude(LOOK) as (llm, provider):
        await ask(provider, QUESTION, temperature=0.3)

    assert "thinking" not in llm.requests[0].body
    assert llm.requests[0].body["temperature"] == 0.3


async def test_it_is_not_asked_for_after_another_models_calls() -> None:
    async with claude(model_info=THINKING) as (llm, provider):
        await ask(provider, *FOREIGN)
        await ask(provider, *FOREIGN, Message("assistant", "A cat."), QUESTION)

    assert ["thinking" in request.body for request in llm.requests] == [False, True]


async def test_a_model_that_decides_itself_how_much_it_thinks_is_let_to() -> None:
    async with claude(LOOK, model_info=THINKING, wants=("no token budget",)) as (llm, provider):
        await ask(provider, QUESTION)
        await ask(provider, QUESTION)

    kinds = [request.body["thinking"]["type"] for request in llm.requests]
    assert kinds == ["enabled", "adaptive", "adaptive"]


async def test_a_signature_that_does_not_hold_is_left_out_of_this_conversation_only() -> None:
    forged = Reply.tool("look", reasoning="Hm.", signature="forged")
    async with claude(forged, model_info=THINKING) as (llm, provider):
        made = await ask(provider, QUESTION)
        await ask(provider, *answered(made))
        llm.push(LOOK)
        await ask(provider, *answered(await ask(provider, QUESTION)))

    bodies = [request.body for request in llm.requests]
    assert ["thinking" in body for body in bodies] == [True, True, False, True, True]
    assert "signature" not in str(bodies[2])
    assert "signature" in str(bodies[4])


# OpenAI's protocol


@pytest.mark.parametrize(
    ("made", "field", "sent"),
    [
        (Reply.tool("look", reasoning="Hm."), "reasoning_content", "Hm."),
        (
            Reply.tool("look", reasoning="Hm.", reasoning_as="reasoning_details", signature="sig"),
            "reasoning_details",
            [
                {
                    "type": "reasoning.text",
                    "text": "Hm.",
                    "format": "anthropic-claude-v1",
                    "index": 0,
                    "signature": "sig",
                }
            ],
        ),
    ],
)
async def test_reasoning_goes_back_with_its_calls(made: Reply, field: str, sent: object) -> None:
    async with chat(made) as (llm, provider):
        await ask(provider, *answered(await ask(provider, QUESTION)))

    assert llm.requests[1].body["messages"][1][field] == sent


async def test_a_call_gets_its_own_signature_back_although_calls_were_dropped_and_renamed() -> None:
    def signed(name: str) -> dict[str, Any]:
        return {"google": {"thought_signature": name}}

    calls = (
        Called("look", {"at": "a"}, "same", signed("a")),
        Called("look", {"at": "b"}, "same", signed("b")),
    )
    async with chat(Reply(None, (calls[0], *calls))) as (llm, provider):
        await ask(provider, *answered(await ask(provider, QUESTION)))

    sent = llm.requests[1].body["messages"][1]["tool_calls"]
    assert [call["extra_content"] for call in sent] == [signed("a"), signed("b")]


WANTS: dict[Want, str] = {
    "short ids": "mistral",
    "no user after tool": "mistral",
    "reasoning back": "deepseek",
    "call signature": "gemini",
}


@pytest.mark.parametrize("want", WANTS)
async def test_what_one_vendor_insists_on_is_learned_from_its_refusal(want: Want) -> None:
    async with chat(wants=(want,)) as (llm, provider):
        for _ in range(2):
            await ask(provider, *FOREIGN, QUESTION)

    assert [request.outcome for request in llm.requests] == ["done"] * 3
    assert llm.requests[1].body == llm.requests[2].body != llm.requests[0].body


@pytest.mark.parametrize("want", ["short ids", "no user after tool", "reasoning back"])
async def test_what_is_known_of_a_vendor_needs_no_refusal(want: Want) -> None:
    base = {"mistral": "https://api.mistral.ai/v1", "deepseek": "https://api.deepseek.com"}[WANTS[want]]
    async with LLMFake(setup=Setup(wants=(want,))) as llm:
        provider = OpenAIProvider("mine", ProviderSettings(api_base=base), transport=llm_transport(llm))
        try:
            await ask(provider, *FOREIGN, QUESTION)
        finally:
            await provider.aclose()

    assert len(llm.requests) == 1


def llm_transport(llm: LLMFake) -> Any:
    class Detour(httpx.AsyncHTTPTransport):
        """To the fake, whatever the address."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            path = "/v1" + request.url.path.removeprefix("/v1")
            request.url = httpx.URL(llm.base_url).copy_with(path=path)
            return await super().handle_async_request(request)

    return Detour()


async def test_a_field_that_a_server_does_not_know_is_not_given_back_again() -> None:
    text = "property 'reasoning_content' is unsupported"
    async with chat(Reply.tool("look", reasoning="Hm."), Reply.error(400, openai(text))) as (llm, provider):
        made = await ask(provider, QUESTION)
        for _ in range(2):
            await ask(provider, *answered(made))

    given = ["reasoning_content" in str(request.body["messages"]) for request in llm.requests]
    assert given == [False, True, False, False]


# Several candidates


@asynccontextmanager
async def chain(
    setups: Mapping[str, tuple[str, Setup]], **model_info: Any
) -> AsyncIterator[tuple[dict[str, LLMFake], ModelClient]]:
    """A client with a chain of one server for each name, of its kind and set up so."""
    fakes = {name: LLMFake(setup=setup) for name, (_, setup) in setups.items()}
    for fake in fakes.values():
        await fake.__aenter__()
    providers = {
        name: ProviderSettings(
            kind=kind,
            api_base=fakes[name].base_url,
            default_model="fake-1",
            model_info={"fake-1": model_info[name]} if name in model_info else {},
        )
        for name, (kind, _) in setups.items()
    }
    names = list(setups)
    client = ModelClient(Catalog.of(providers, {}, {"reasoning": names[0]}, {"reasoning": names}))
    try:
        yield fakes, client
    finally:
        await client.aclose()
        for fake in fakes.values():
            await fake.__aexit__(None, None, None)


async def test_thoughts_stay_with_their_model_while_another_one_takes_over_and_come_back_with_it() -> None:
    setups = {"one": ("anthropic", Setup()), "two": ("openai_compat", Setup())}
    down = Reply.error(429, anthropic("rate_limit_error", "Slow down."), retry_after="0")
    async with chain(setups, one={"thinking_tokens": 2048}) as (fakes, client):
        fakes["one"].push(LOOK, down)
        fakes["two"].push(Reply.tool("look", {"at": "y"}, reasoning="Foreign."))
        said: list[Message] = [QUESTION]
        routes = []
        for _ in range(3):
            reply = await client.chat("reasoning", ChatRequest(tuple(said), (TOOL,), timeout=20))
            routes.append(reply.route)
            said += answered(reply.message)[1:]

    assert routes == [Route("one", "fake-1"), Route("two", "fake-1"), Route("one", "fake-1")]
    assert "Hm." not in str(fakes["two"].requests[-1].body)
    last = fakes["one"].requests[-1].body
    assert [[b["type"] for b in turn["content"]] for turn in last["messages"]] == [
        ["text"],
        ["thinking", "tool_use"],
        ["tool_result"],
        ["tool_use"],
        ["tool_result"],
    ]
    assert "thinking" not in last


async def pictured(client: ModelClient) -> ChatReply:
    said = (Message("user", "What is it?", images=(PHOTO,)),)
    return await client.chat("reasoning", ChatRequest(said, (TOOL,), timeout=20))


@pytest.mark.parametrize("kind", ["openai_compat", "anthropic"])
async def test_a_model_that_refuses_images_gets_a_line_instead_and_is_remembered(kind: str) -> None:
    async with chain({"one": (kind, Setup(wants=("no images",)))}) as (fakes, client):
        for _ in range(2):
            assert (await pictured(client)).route == Route("one", "fake-1")

        bodies = [str(request.body) for request in fakes["one"].requests]
        assert [UNSEEN.replace("'", "\\'") in body or UNSEEN in body for body in bodies] == [
            False,
            True,
            True,
        ]
        assert client.catalog.info(Route("one", "fake-1")).vision is False


async def test_one_that_is_known_to_see_comes_first_for_an_image_and_only_then() -> None:
    plain = ("openai_compat", Setup())
    setups = {"blind": plain, "unknown": plain, "seeing": plain}
    async with chain(setups, blind={"vision": False}, seeing={"vision": True}) as (fakes, client):
        assert (await pictured(client)).route.provider == "seeing"
        reply = await client.chat("reasoning", ChatRequest((QUESTION,), timeout=20))

    assert reply.route.provider == "blind"
    [part] = [p for p in fakes["seeing"].requests[0].body["messages"][0]["content"] if p["type"] != "text"]
    assert part == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}


async def test_the_owners_word_on_sight_stands_above_a_refusal_but_does_not_cost_the_answer() -> None:
    setups = {"one": ("openai_compat", Setup(wants=("no images",)))}
    async with chain(setups, one={"vision": True}) as (fakes, client):
        await pictured(client)

        assert ["image_url" in str(request.body) for request in fakes["one"].requests] == [True, False]
        assert client.catalog.info(Route("one", "fake-1")).vision is True


@pytest.mark.parametrize(
    ("told", "thinks"),
    [({}, True), ({"thinks": False}, False), ({"thinking_tokens": 2048, "thinks": False}, False)],
)
def test_whether_a_model_thinks_is_the_owners_word_before_the_presets(told: Any, thinks: bool) -> None:
    settings = ProviderSettings(api_key=SecretStr("k"), model_info={"gpt-6-sol": told})
    catalog = Catalog.of({"openai": settings})
    candidate = Candidate(
        Route("openai", "gpt-6-sol"), catalog.info(Route("openai", "gpt-6-sol")), local=False
    )

    assert step_for(candidate, ChatRequest((QUESTION,))).request.thinks is thinks


def test_a_model_that_is_asked_to_think_thinks() -> None:
    settings = ProviderSettings(api_base="http://x/v1", model_info=THINKING)  # type: ignore[arg-type] # as in a file

    assert Catalog.of({"p": settings}).info(Route("p", "fake-1")).thinks is True


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("thinks", "seconds", "comes"), [(False, 70, False), (True, 70, True), (True, 130, False)]
)
async def test_one_that_thinks_is_waited_for_longer(thinks: bool, seconds: float, comes: bool) -> None:
    async def late(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(seconds)
        choice = {"message": {"content": "At last."}, "finish_reason": "stop"}
        return httpx.Response(200, json={"choices": [choice]})

    settings = ProviderSettings(api_base="https://api.example.com/v1")
    provider = OpenAIProvider("p", settings, transport=httpx.MockTransport(late))
    try:
        if comes:
            assert (await ask(provider, QUESTION, thinks=thinks)).content == "At last."
        else:
            with pytest.raises(errors.Stalled):
                await ask(provider, QUESTION, thinks=thinks)
    finally:
        await provider.aclose()

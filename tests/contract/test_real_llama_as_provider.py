"""Our client against a real llama.cpp server: found, fingerprinted, asked, cancelled."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from providers import errors
from providers.anthropic import AnthropicProvider
from providers.client import ModelClient
from providers.discovery import probe_local
from providers.errors import NoModel
from providers.openai import OpenAIProvider
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatReply, ChatRequest, Completion, Image, Message, TextDelta, ToolDef
from tests.fakes.llama import LlamaServer, llama_server

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CLOCK = ToolDef(
    "clock",
    "Tells the current date and time.",
    {"type": "object", "properties": {"timezone": {"type": "string"}}, "required": []},
)
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
SYSTEM = Message("system", "You are a helpful assistant.")


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with llama_server("gemma") as server:
        yield server


@pytest.fixture
async def client(server: LlamaServer) -> AsyncIterator[ModelClient]:
    """As the daemon starts with nothing configured."""
    port = httpx.URL(server.url).port
    assert port is not None
    found = await probe_local({}, {"llama": port})
    client = ModelClient(Catalog().adopting(found))
    yield client
    await client.aclose()


def ask(text: str, *tools: ToolDef, max_tokens: int = 40) -> ChatRequest:
    return ChatRequest((SYSTEM, Message("user", text)), tools, max_tokens, 0.0, 120)


async def test_it_is_found_with_its_window_and_its_tools(client: ModelClient) -> None:
    [candidate] = client.candidates("reasoning")

    assert candidate.local
    assert candidate.info.context_window == 4096
    assert candidate.info.tools is True


async def test_it_answers_in_a_stream(client: ModelClient) -> None:
    events = [event async for event in client.stream("reasoning", ask("Say hello."))]

    reply = events[-1]
    assert isinstance(reply, ChatReply)
    assert reply.message.content
    assert "".join(e.text for e in events if isinstance(e, TextDelta)).strip() == reply.message.content
    assert reply.usage.prompt_tokens > 5
    assert reply.usage.completion_tokens > 0


async def test_a_tool_call_and_its_result_go_round(client: ModelClient) -> None:
    question = ask("What time is it now?", CLOCK)
    reply = await client.chat("reasoning", question)
    [call] = reply.message.tool_calls
    assert call.name == "clock"

    history = (*question.messages, reply.message, Message("tool", "It is 09:30.", tool_call_id=call.id))
    reply = await client.chat("reasoning", ChatRequest(history, (CLOCK,), 40, 0.0, 120))

    assert reply.message.content


async def test_connections_that_it_closes_after_a_stream_cost_no_attempt(client: ModelClient) -> None:
    for _ in range(12):
        reply = await client.chat("reasoning", ask("Hi.", max_tokens=2))
        assert len(reply.path) == 1


async def test_too_long_a_conversation_is_refused_with_the_window(server: LlamaServer) -> None:
    provider = OpenAIProvider("llama", ProviderSettings(api_base=server.base_url))
    with pytest.raises(errors.TooLong) as failed:
        async for _ in provider.stream("", ask("word " * 6000)):
            pass
    await provider.aclose()

    assert isinstance(failed.value, errors.TooLong)
    assert failed.value.window == 4096


async def test_calls_that_the_token_limit_cut_are_never_returned(server: LlamaServer) -> None:
    provider = OpenAIProvider("llama", ProviderSettings(api_base=server.base_url))
    made, dropped = 0, 0
    for limit in range(4, 24):
        try:
            *_, last = [
                event async for event in provider.stream("", ask("What time is it?", CLOCK, max_tokens=limit))
            ]
        except errors.Empty:
            continue  # cut off before anything of the call was sent
        assert isinstance(last, Completion)
        made += len(last.message.tool_calls)
        dropped += last.dropped_calls
    await provider.aclose()

    assert dropped > 0
    assert made > 0


async def test_anthropics_protocol_is_spoken_with_tools_too(server: LlamaServer) -> None:
    settings = ProviderSettings(kind="anthropic", api_base=server.base_url)
    client = ModelClient(Catalog.of({"claude": settings}, roles={"reasoning": "claude"}))
    events = [event async for event in client.stream("reasoning", ask("Say hello."))]
    reply = events[-1]
    assert isinstance(reply, ChatReply)
    assert reply.message.content
    assert "".join(e.text for e in events if isinstance(e, TextDelta)).strip() == reply.message.content
    assert reply.usage.prompt_tokens > 5
    assert reply.usage.completion_tokens > 0

    question = ask("What time is it now?", CLOCK)
    called = (await client.chat("reasoning", question)).message
    [call] = called.tool_calls
    assert call.name == "clock"
    history = (*question.messages, called, Message("tool", "It is 09:30.", tool_call_id=call.id))
    reply = await client.chat("reasoning", ChatRequest(history, (CLOCK,), 40, 0.0, 120))
    assert reply.message.content
    assert len(reply.path) == 1
    await client.aclose()


async def test_too_long_a_conversation_is_refused_in_anthropics_protocol_too(server: LlamaServer) -> None:
    provider = AnthropicProvider("llama", ProviderSettings(api_base=server.base_url))
    with pytest.raises(errors.TooLong) as failed:
        async for _ in provider.stream("", ask("word " * 6000)):
            pass
    await provider.aclose()

    assert isinstance(failed.value, errors.TooLong)
    assert failed.value.window == 4096


@pytest.mark.parametrize("kind", [OpenAIProvider, AnthropicProvider])
async def test_an_image_for_a_model_that_cannot_see_is_refused_as_such(
    server: LlamaServer, kind: type[OpenAIProvider | AnthropicProvider]
) -> None:
    provider = kind("llama", ProviderSettings(api_base=server.base_url))
    said = Message("user", "What is it?", images=(Image("image/png", PIXEL),))
    with pytest.raises(errors.NoImageSupport):
        async for _ in provider.stream("", ChatRequest((SYSTEM, said))):
            pass
    [model] = await provider.models()
    await provider.aclose()

    assert model.vision is False


async def test_leaving_frees_its_slot(client: ModelClient, server: LlamaServer) -> None:
    stream = client.stream("reasoning", ask("Tell a long story.", max_tokens=1000))
    async for event in stream:
        if isinstance(event, TextDelta):
            break
    await stream.aclose()

    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(3):
        while any(slot["is_processing"] for slot in (await http.get(f"{server.url}/slots")).json()):
            await asyncio.sleep(0.05)


async def test_a_template_without_tools_is_seen_and_they_are_not_sent() -> None:
    with llama_server("smollm2") as server:
        client = ModelClient(Catalog.of({"local": ProviderSettings(api_base=server.base_url)}))
        reply = await client.chat("reasoning", ask("Say hello.", CLOCK))
        [candidate] = client.candidates("reasoning")
        await client.aclose()

    assert reply.message.content
    assert candidate.info.tools is False
    assert reply.route.model == candidate.route.model != ""


async def test_a_server_that_has_gone_is_unreachable_and_said_to_be() -> None:
    with llama_server("smollm2") as server:
        client = ModelClient(Catalog.of({"local": ProviderSettings(api_base=server.base_url)}))
        await client.chat("reasoning", ask("Hi.", max_tokens=2))
    with pytest.raises(NoModel) as nobody:
        await client.chat("reasoning", ask("Hi.", max_tokens=2))
    await client.aclose()

    assert {attempt.error for attempt in nobody.value.path} == {"Unreachable"}

"""One conversation over two protocols: candidates take over from each other in the middle of a turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatReply, ChatRequest, ClientEvent, Message, Restart, TextDelta, ToolDef
from tests.fakes.llm import Fault, LLMFake, Reply, messages
from tests.fakes.llm.errors import anthropic, openai

TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
ASK = (Message("system", "Be kind."), Message("user", "look twice"))
DOWN = {
    "openai_compat": Reply.error(429, openai("Slow down."), retry_after="0"),
    "anthropic": Reply.error(429, anthropic("rate_limit_error", "Slow down."), retry_after="0"),
}
ORDERS = [("openai_compat", "anthropic"), ("anthropic", "openai_compat")]


@asynccontextmanager
async def between(first: str, second: str) -> AsyncIterator[tuple[LLMFake, LLMFake, ModelClient]]:
    """A client whose chain has a server of each protocol, the `first` one first."""
    async with LLMFake() as one, LLMFake() as two:
        providers = {
            name: ProviderSettings(kind=kind, api_base=llm.base_url, default_model="fake-1")
            for name, kind, llm in (("one", first, one), ("two", second, two))
        }
        client = ModelClient(Catalog.of(providers, {}, {"reasoning": "one"}, {"reasoning": ["one", "two"]}))
        try:
            yield one, two, client
        finally:
            await client.aclose()


@pytest.mark.parametrize(("first", "second"), ORDERS)
async def test_a_turn_moves_to_the_other_protocol_and_back_with_all_its_results(
    first: str, second: str
) -> None:
    async with between(first, second) as (one, two, client):
        one.push(Reply.tool("look", {"at": "x"}, text="Looking."), DOWN[first], Reply("Two cats."))
        two.push(
            Reply(None, (*Reply.tool("look", {"at": "y"}).calls, *Reply.tool("look", {"at": "z"}).calls))
        )
        said, routes = list(ASK), []
        while True:
            reply = await client.chat("reasoning", ChatRequest(tuple(said), (TOOL,), timeout=20))
            routes.append(reply.route.provider)
            said.append(reply.message)
            if not reply.message.tool_calls:
                break
            said += [
                Message("tool", f"cat {c.arguments}", tool_call_id=c.id) for c in reply.message.tool_calls
            ]

        assert routes == ["one", "two", "one"]
        assert reply.message.content == "Two cats."
        last = one.requests[-1].body
        sent = (messages.as_chat(last) if first == "anthropic" else last)["messages"]
        assert [m["role"] for m in sent] == [
            "system",
            "user",
            "assistant",
            "tool",
            "assistant",
            "tool",
            "tool",
        ]
        assert [m["content"] for m in sent if m["role"] == "tool"] == [
            "cat {'at': 'x'}",
            "cat {'at': 'y'}",
            "cat {'at': 'z'}",
        ]


@pytest.mark.parametrize(("first", "second"), ORDERS)
async def test_a_stream_cut_after_two_hundred_tokens_is_answered_whole_by_the_other(
    first: str, second: str
) -> None:
    words = tuple(f"word{n} " for n in range(200))
    async with between(first, second) as (one, two, client):
        one.default = Reply(words, fault=Fault("close", 200))
        two.push(Reply("The whole answer."))
        shown = ""
        events: list[ClientEvent] = []
        async for event in client.stream("reasoning", ChatRequest(ASK, timeout=20)):
            events.append(event)
            if isinstance(event, TextDelta):
                shown += event.text
            elif isinstance(event, Restart):
                assert shown == "".join(words)
                shown = ""

    reply = events[-1]
    assert isinstance(reply, ChatReply)
    assert shown == reply.message.content == "The whole answer."
    assert [(a.route.provider, a.error) for a in reply.path][-2:] == [("one", "CutStream"), ("two", "")]

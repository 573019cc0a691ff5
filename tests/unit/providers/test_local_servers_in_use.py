"""Asking local servers that load on demand, cut what is too long, or answer one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.client import ModelClient
from providers.errors import NoModel, TooLong
from providers.ollama import most_tokens
from providers.openai import OpenAIProvider
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.testing import Clock
from providers.types import ChatReply, ChatRequest, Completion, Message, Restart, TextDelta, ToolDef
from tests.fakes.llm import LLMFake, Pace, Reply, Setup
from tests.fakes.local_servers import Router, Truncating, router, ticking, truncating

ASK = ChatRequest((Message("user", "hello there"),), timeout=20)
LONG = replace(ASK, messages=(Message("system", "Be exact."), Message("user", "word " * 6000)))


@asynccontextmanager
async def client_of(
    clock: Clock | None = None, **servers: LLMFake | ProviderSettings
) -> AsyncIterator[ModelClient]:
    settings = {
        name: ProviderSettings(api_base=one.base_url) if isinstance(one, LLMFake) else one
        for name, one in servers.items()
    }
    client = ModelClient(Catalog.of(settings), clock=clock) if clock else ModelClient(Catalog.of(settings))
    try:
        yield client
    finally:
        await client.aclose()


# A router of llama.cpp's


async def test_a_routers_loaded_model_is_preferred_and_nothing_is_loaded_to_find_out() -> None:
    states = Router({"idle": "unloaded", "awake": "loaded"})
    async with router(states) as llm, client_of(home=llm) as client:
        reply = await client.chat("reasoning", ASK)
        info = client.candidates("reasoning")[0].info

    assert str(reply.route) == "home/awake"
    assert (info.context_window, info.tools, info.slots, info.loaded) == (2048, True, 2, True)
    assert states.loads == []


async def test_a_model_that_is_not_loaded_is_asked_and_then_known() -> None:
    states = Router({"idle": "unloaded"})
    clock = Clock()
    async with router(states) as llm, client_of(clock, home=llm) as client:
        assert (await client.chat("home/idle", ASK)).message.content == "You said: hello there"
        assert client.candidates("home/idle")[0].info.loaded is False
        clock.now += 31

        await client.chat("home/idle", ASK)

        info = client.candidates("home/idle")[0].info
    assert states.loads == ["idle"]
    assert (info.loaded, info.context_window) == (True, 2048)


@pytest.mark.parametrize(("name", "said"), [("gone", "not found"), ("idle", "not loaded")])
async def test_what_a_router_will_not_serve_is_an_unknown_model(name: str, said: str) -> None:
    states = Router({"idle": "unloaded"}, autoload=False)
    async with router(states) as llm:
        settings = ProviderSettings(api_base=llm.base_url, models=["gone", "idle"])
        async with client_of(home=settings) as client:
            with pytest.raises(NoModel, match=said) as nobody:
                await client.chat(f"home/{name}", ASK)

    assert nobody.value.path[0].error == "UnknownModel"


# Ollama


async def test_ollama_left_to_itself_drops_the_oldest_messages() -> None:
    ollama = Truncating(window=4096)
    async with truncating(ollama) as llm:
        settings = ProviderSettings(api_base=llm.base_url)
        provider = OpenAIProvider("unguarded", settings)
        provider._ollama.on = False
        *_, last = [event async for event in provider.stream("qwen:4b", LONG)]
        await provider.aclose()

    assert isinstance(last, Completion)
    assert last.message.content == "I saw 1 of 2."


@pytest.mark.parametrize("loaded", [True, False])
async def test_what_ollama_would_cut_is_too_long_before_it_is_sent(*, loaded: bool) -> None:
    ollama = Truncating(window=4096, loaded=loaded)
    async with truncating(ollama) as llm, client_of(home=llm) as client:
        with pytest.raises(NoModel) as nobody:
            await client.chat("reasoning", LONG)
        assert (await client.chat("reasoning", ASK)).message.content == "I saw 1 of 1."

    assert {attempt.error for attempt in nobody.value.path} == {"TooLong"}
    assert "OLLAMA_CONTEXT_LENGTH" in nobody.value.path[-1].detail
    assert len(llm.requests) == len(ollama.seen) == 1


async def test_ollamas_real_window_counts_though_the_owner_says_more() -> None:
    ollama = Truncating(window=4096)
    async with truncating(ollama) as llm:
        settings = ProviderSettings.model_validate(
            {"api_base": llm.base_url, "model_info": {"qwen:4b": {"context_window": 32768}}}
        )
        async with client_of(home=settings) as client:
            with pytest.raises(NoModel):
                await client.chat("home/qwen:4b", LONG)

    assert not llm.requests


async def test_a_large_window_of_ollamas_is_found_by_loading_the_model() -> None:
    ollama = Truncating(window=65_536, loaded=False)
    async with truncating(ollama) as llm, client_of(home=llm) as client:
        assert (await client.chat("reasoning", LONG)).message.content == "I saw 2 of 2."

    assert [probe.path for probe in llm.probes].count("/api/generate") == 0  # the hook answers it
    assert ollama.seen[0][0] == "Be exact."


async def test_another_server_in_ollamas_place_is_not_measured() -> None:
    async with LLMFake(setup=Setup(models=("m",))) as llm, client_of(ollama=llm) as client:
        assert (await client.chat("reasoning", LONG)).message.content


async def test_a_provider_that_was_never_asked_for_its_models_guards_all_the_same() -> None:
    ollama = Truncating(window=4096)
    async with truncating(ollama) as llm:
        provider = OpenAIProvider("ollama", ProviderSettings(api_base=llm.base_url))
        with pytest.raises(TooLong):
            [event async for event in provider.stream("qwen:4b", LONG)]
        await provider.aclose()


@given(st.text(max_size=200))
def test_no_text_is_measured_as_nothing_or_as_absurdly_much(text: str) -> None:
    measured = most_tokens(ChatRequest((Message("user", text),)))

    assert measured >= 8
    assert measured <= 8 + 4 * len(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 100, 1000),  # as every tokenizer of today counts
        ("3141592653589793238462643383279502884197" * 10, 400),  # Qwen makes one of each digit
        ("北京是中华人民共和国的首都。" * 20, 160),
        ("QmFzZTY0IGlzIG5vdCBhIGxhbmd1YWdlIGJ1dCBhIHdheSB0byB3cml0ZSBieXRlcw" * 5, 170),
    ],
)
def test_a_measure_is_never_too_small(text: str, tokens: int) -> None:
    assert tokens <= most_tokens(ChatRequest((Message("user", text),))) <= 4 * tokens


def test_tools_and_results_are_measured_too() -> None:
    bare = most_tokens(ASK)
    tool = ToolDef("look", "Looks around. " * 50, {"type": "object", "properties": {}})

    assert most_tokens(replace(ASK, tools=(tool,))) > bare + 150


# One slot


def held(name: str, text: str) -> Reply:
    return Reply(text, pace=Pace(hold=name, hold_at=0))


async def test_a_busy_server_with_one_slot_is_asked_in_order_and_one_at_a_time() -> None:
    async with (
        LLMFake(held("a", "first"), Reply("second"), Reply("third"), setup=Setup("llama-server")) as llm,
        client_of(home=llm) as client,
    ):
        turns = []
        for number in range(3):
            said = replace(ASK, messages=(Message("user", f"turn {number}"),), timeout=10)
            turns.append(asyncio.create_task(client.chat("reasoning", said)))
            await asyncio.sleep(0.02)
        await llm.until(lambda: len(llm.requests) == 1)
        await asyncio.sleep(0.03)
        assert len(llm.requests) == 1
        llm.release("a")
        replies = await asyncio.gather(*turns)

    assert [reply.message.content for reply in replies] == ["first", "second", "third"]
    assert [r.body["messages"][-1]["content"] for r in llm.requests] == ["turn 0", "turn 1", "turn 2"]
    assert llm.max_concurrent == 1
    assert [len(reply.path) for reply in replies] == [1, 1, 1]
    # The wait is nobody's slowness.
    assert replies[2].path[0].seconds < 0.05


async def test_who_waits_for_a_slot_is_not_sent_to_another_server() -> None:
    async with (
        LLMFake(held("a", "first"), Reply("second"), setup=Setup("llama-server")) as busy,
        LLMFake(setup=Setup("llama-server")) as idle,
        client_of(busy=busy, idle=idle) as client,
    ):
        first = asyncio.create_task(client.chat("reasoning", ASK))
        await busy.until(lambda: bool(busy.requests))
        second = asyncio.create_task(client.chat("reasoning", replace(ASK, timeout=5)))
        await asyncio.sleep(0.05)
        busy.release("a")

        assert [(await turn).message.content for turn in (first, second)] == ["first", "second"]

    assert not idle.requests


async def test_the_deadline_holds_in_line_too_and_tells_against_nobody() -> None:
    async with LLMFake(held("a", "first"), setup=Setup("llama-server")) as llm, client_of(home=llm) as client:
        first = asyncio.create_task(client.chat("reasoning", ASK))
        await llm.until(lambda: bool(llm.requests))
        with pytest.raises(NoModel) as nobody:
            await client.chat("reasoning", replace(ASK, timeout=0.05))

        [attempt] = nobody.value.path
        assert (attempt.error, attempt.called) == ("Overloaded", False)
        assert client.resting("reasoning") == ()
        llm.release("a")
        await first
        assert (await client.chat("reasoning", ASK)).message.content


async def test_who_is_cancelled_leaves_the_line_and_who_answers_gives_its_slot_back() -> None:
    async with (
        LLMFake(held("never", "one two three"), Reply("third"), setup=Setup("llama-server")) as llm,
        client_of(home=llm) as client,
    ):
        turns = []
        for _ in range(3):
            turns.append(asyncio.create_task(client.chat("reasoning", ASK)))
            await asyncio.sleep(0.02)
        turns[1].cancel()
        await asyncio.wait([turns[1]])
        turns[0].cancel()
        await asyncio.wait([turns[0]])

        assert (await turns[2]).message.content == "third"
        assert [client._means.slots.depth(c.route) for c in client.candidates("reasoning")] == [(0, 0)]


async def test_a_stream_that_is_closed_in_the_middle_gives_its_slot_back() -> None:
    cut = Reply("one two three", pace=Pace(hold="never", hold_at=1))
    async with LLMFake(cut, setup=Setup("llama-server")) as llm, client_of(home=llm) as client:
        stream = client.stream("reasoning", ASK)
        assert isinstance(await anext(stream), TextDelta)
        await stream.aclose()

        assert (await client.chat("reasoning", replace(ASK, timeout=2))).message.content


async def test_a_failure_gives_its_slot_back_and_its_retry_takes_one_again() -> None:
    async with (
        LLMFake(Reply.broken("close", 1, "one two"), Reply("whole"), setup=Setup("llama-server")) as llm,
        client_of(home=llm) as client,
    ):
        events = [event async for event in client.stream("reasoning", ASK)]

    assert any(isinstance(event, Restart) for event in events)
    assert isinstance(events[-1], ChatReply)
    assert events[-1].message.content == "whole"


async def test_a_server_of_many_slots_answers_many_at_once() -> None:
    async with LLMFake(setup=Setup("vllm")) as llm, client_of(home=llm) as client:
        llm.push(*(held("go", f"{number}") for number in range(3)))
        turns = [asyncio.create_task(client.chat("reasoning", ASK)) for _ in range(3)]
        await ticking(lambda: llm.concurrent == 3)
        llm.release("go")
        await asyncio.gather(*turns)


async def test_nanbeige_is_asked_as_its_template_wants_it() -> None:
    said = (
        Message("user", "One."),
        Message("user", "Two."),
        Message("assistant", "Three."),
        Message("user", "Four."),
    )
    async with (
        LLMFake(setup=Setup("llama-server", ("Nanbeige4.1-3B.Q4_K_M",))) as llm,
        client_of(home=llm) as client,
    ):
        await client.chat("reasoning", replace(ASK, messages=said, max_tokens=64))

        assert client.candidates("reasoning")[0].info.thinks is True
        body = llm.requests[0].body
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["max_tokens"] == 4096

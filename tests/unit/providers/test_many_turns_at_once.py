"""Twenty turns at once at a server that is down, over real sockets: few calls are wasted on it, and no time on one that
works.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from providers import errors
from providers.client import ModelClient
from providers.health import STRIKES
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.testing import Answer, Clock, ScriptedProvider, scripted_client
from providers.types import ChatReply, ChatRequest, Message
from tests.fakes.llm import LLMFake, Pace, Reply

ASK = ChatRequest((Message("user", "hello"),), timeout=20)
DOWN = [
    Reply.error(500, {"error": {"message": "down"}}),
    Reply.error(503, {"error": {"message": "overloaded"}}),
    Reply("", pace=Pace(hold="for ever")),
]


@asynccontextmanager
async def two_servers(
    clock: Clock, patience: float = 30
) -> AsyncIterator[tuple[ModelClient, LLMFake, LLMFake]]:
    async with LLMFake() as first, LLMFake() as second:
        settings = {
            name: ProviderSettings.model_validate(
                {"api_base": llm.base_url, "default_model": "fake-1", "first_token_timeout": seconds}
            )
            for name, llm, seconds in (("first", first, patience), ("second", second, 30))
        }
        catalog = Catalog.of(settings, {}, {"reasoning": "first"}, {"reasoning": ["first", "second"]})
        client = ModelClient(catalog, clock=clock)
        try:
            yield client, first, second
        finally:
            await client.aclose()


async def turns(client: ModelClient, count: int = 20) -> list[ChatReply]:
    return await asyncio.gather(*(client.chat("reasoning", ASK) for _ in range(count)))


@pytest.mark.parametrize("down", DOWN, ids=["error", "overload", "silence"])
@pytest.mark.parametrize("worked_before", [False, True])
async def test_twenty_turns_waste_what_opens_the_breaker_then_none_and_one_probes(
    down: Reply, worked_before: bool
) -> None:
    clock = Clock()
    # One that falls silent is waited for in real time; a busy machine needs some for twenty answers, too.
    async with two_servers(clock, patience=2) as (client, first, _):
        if worked_before:
            await client.chat("reasoning", ASK)
            clock.now += 600
        before, first.default = first.received, down

        replies = await turns(client)
        assert {reply.route.provider for reply in replies} == {"second"}
        assert first.received - before <= STRIKES

        wasted = first.received
        await turns(client)
        assert first.received == wasted

        clock.now += 31
        await turns(client)
        assert first.received == wasted + 1

        clock.now += 61
        first.default = Reply("back")
        replies = await turns(client)
        assert first.received == wasted + 2
        assert sorted(reply.route.provider for reply in replies) == ["first"] + ["second"] * 19
        assert {reply.route.provider for reply in await turns(client)} == {"first"}


async def test_a_server_that_just_worked_and_now_refuses_wastes_no_more_either() -> None:
    async with two_servers(Clock()) as (client, first, second):
        await client.chat("reasoning", ASK)
        first.default = DOWN[0]

        await turns(client)

        assert first.received - 1 <= STRIKES
        assert second.received == 20


async def test_a_server_that_hangs_up_is_no_different() -> None:
    async with two_servers(Clock()) as (client, first, _):
        await first.down()

        replies = await turns(client)

    called = [a for reply in replies for a in reply.path if a.called and a.route.provider == "first"]
    assert len(called) <= STRIKES
    assert {attempt.error for attempt in called} == {"Unreachable"}


async def test_all_turns_go_to_a_new_server_as_soon_as_one_has_begun_to_answer() -> None:
    async with two_servers(Clock()) as (client, first, _):
        first.default = Reply("word " * 20, pace=Pace(chunks=20, wait=0.05, every=0.002))

        replies = await turns(client)

        assert {reply.route.provider for reply in replies} == {"first"}
        assert all(len(reply.path) == 1 for reply in replies)
        assert first.max_concurrent > STRIKES


@pytest.mark.looptime
@pytest.mark.parametrize(("count", "seconds"), [(1, 10.0), (3, 10.0), (20, 10.1)])
async def test_a_server_that_works_is_not_held_back_for_more_than_a_moment(
    count: int, seconds: float
) -> None:
    async def slowly(_: ChatRequest) -> Answer:
        await asyncio.sleep(10)
        return "Hello"

    client = scripted_client({"p": ScriptedProvider("Hello", after=slowly), "q": ScriptedProvider()})
    await client.chat("reasoning", ASK)
    began = asyncio.get_running_loop().time()

    await asyncio.gather(*(client.chat("reasoning", replace(ASK, timeout=60)) for _ in range(count)))

    assert asyncio.get_running_loop().time() - began == pytest.approx(seconds)


@pytest.mark.looptime
async def test_who_waited_in_vain_for_word_goes_to_the_next_in_time() -> None:
    async def hang(_: ChatRequest) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    first, second = ScriptedProvider(after=hang), ScriptedProvider(after="Hello")
    client = scripted_client({"first": first, "second": second})

    replies = await asyncio.gather(*(client.chat("reasoning", replace(ASK, timeout=40)) for _ in range(10)))

    assert {reply.route.provider for reply in replies} == {"second"}
    assert len(first.asked) == STRIKES
    passed = [reply.path[0] for reply in replies if not reply.path[0].called]
    assert len(passed) == 10 - STRIKES


async def test_leaving_makes_room() -> None:
    async def hang(_: ChatRequest) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    provider = ScriptedProvider(hang, hang, hang, after="Hello")
    client = scripted_client({"p": provider})
    hanging = [asyncio.create_task(client.chat("reasoning", ASK)) for _ in range(3)]
    waiting = asyncio.create_task(client.chat("reasoning", ASK))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(provider.asked) == 3
    hanging[0].cancel()

    assert (await waiting).message.content == "Hello"
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_the_last_call_before_the_breaker_opens_goes_alone() -> None:
    go = asyncio.Event()

    async def fails_later(_: ChatRequest) -> Answer:
        await go.wait()
        return errors.Stalled()

    first = ScriptedProvider(errors.Stalled(), errors.Stalled(), after=fails_later)
    client = scripted_client({"first": first, "second": ScriptedProvider(after="Hello")})
    for _ in range(2):
        await client.chat("reasoning", ASK)

    running = [asyncio.create_task(client.chat("reasoning", ASK)) for _ in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*running)

    assert len(first.asked) == 3

"""What else must hold around failures: leaving early, the user's own choice, clocks, odd keys and configurations."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from providers.client import ModelClient
from providers.errors import NoModel, UnknownName
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.testing import Clock
from providers.types import ChatRequest, Message, TextDelta
from tests.fakes.llm import LLMFake, Pace, Reply
from tests.fakes.llm.cases import Case
from tests.faults.scene import NOW, Chain, opened

ASK = ChatRequest((Message("user", "hello"),), timeout=20.0)
LIMITED = Reply.error(429, {"error": {"message": "slow down"}}, retry_after="900")
BROKEN = Reply.error(500, {"error": {"message": "boom"}})


def case(*replies: Reply) -> Case:
    return Case(0, "", replies)


async def test_leaving_in_the_middle_closes_the_connection_and_speaks_against_nobody() -> None:
    endless = Reply("word " * 500, pace=Pace(chunks=500, hold="never", hold_at=3))
    async with opened(case(endless)) as scene:
        async with aclosing(scene.client.stream("reasoning", ASK)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        left = time.monotonic()
        await scene.first.until(lambda: scene.first.requests[-1].outcome == "left", timeout=5)
        assert time.monotonic() - left < 1.0
        assert (scene.first.received, scene.healthy.received) == (1, 0)
        assert scene.rests() == {}


async def test_a_model_called_by_its_own_name_is_never_replaced() -> None:
    async with opened(case(BROKEN)) as scene:
        with pytest.raises(NoModel) as failed:
            await scene.client.chat("first/fake-1", ASK)
        assert {str(attempt.route) for attempt in failed.value.path} == {"first/fake-1"}
        assert scene.healthy.received == 0


async def test_where_all_rest_each_reason_and_the_soonest_return_are_told_at_once() -> None:
    async with opened(case(LIMITED), Chain(("a", "b"), healthy=False)) as scene:
        await scene.turn()
        scene.clock.now += 60.0
        asked, slept = scene.first.received, len(scene.clock.slept)
        seen = await scene.turn("again")
        assert "first/a is rate-limited until " in seen.answer
        assert " (likewise first/b)" in seen.answer
        assert "The first may be back at " in seen.answer
        assert scene.first.received == asked, "who rests is not asked"
        assert len(scene.clock.slept) == slept, "nothing is waited for that takes so long"


@pytest.mark.parametrize("jump", [-365 * 86_400.0, 365 * 86_400.0])
async def test_a_clock_that_is_set_keeps_nobody_out(jump: float) -> None:
    for reply in (LIMITED, BROKEN):
        async with opened(case(reply)) as scene:
            for _ in range(2):
                await scene.turn()
            assert scene.rests()
            await scene.heal()
            assert (await scene.turn()).by == "healthy/fake-1"
            scene.clock.now += jump
            assert (await scene.turn()).by == "first/fake-1"


def _client(llm: LLMFake, fallback: dict[str, list[str]], roles: dict[str, str]) -> ModelClient:
    providers = {"first": ProviderSettings(api_base=llm.base_url, default_model="fake-1")}
    aliases = {"main": "first", "loop": "pool", "pool": "loop"}
    return ModelClient(Catalog.of(providers, aliases, roles, fallback), clock=Clock(NOW))


async def test_a_chain_that_names_one_model_thrice_asks_it_once() -> None:
    async with LLMFake() as llm:
        llm.default = LIMITED
        client = _client(llm, {"reasoning": ["first", "main", "first/fake-1"]}, {"reasoning": "main"})
        with pytest.raises(NoModel):
            await client.chat("reasoning", ASK)
        await client.aclose()
        assert llm.received == 1


async def test_chains_that_name_each_other_end() -> None:
    async with LLMFake() as llm:
        llm.default = LIMITED
        chains = {"rlm": ["memory"], "memory": ["rlm", "main"]}
        client = _client(llm, chains, {"rlm": "main", "reasoning": "main"})
        for role in ("rlm", "reasoning"):
            with pytest.raises(NoModel):
                await client.chat(role, ASK)
        await client.aclose()
        assert llm.received == 1


async def test_aliases_in_a_circle_are_an_error_that_says_so() -> None:
    async with LLMFake() as llm:
        client = _client(llm, {}, {"reasoning": "loop"})
        with pytest.raises(UnknownName):
            await client.chat("reasoning", ASK)
        await client.aclose()


async def test_two_roles_at_one_provider_share_its_limit() -> None:
    async with LLMFake() as llm:
        settings = ProviderSettings(api_base=llm.base_url, default_model="fake-1", rate_limit_rpm=2)
        clock = Clock(NOW)
        catalog = Catalog.of({"first": settings}, {}, {"reasoning": "first", "rlm": "first"}, {})
        client = ModelClient(catalog, clock=clock, sleep=clock.sleep)
        for role in ("reasoning", "rlm"):
            await client.chat(role, ASK)
        with pytest.raises(NoModel) as refused:
            await client.chat("reasoning", ASK)
        await client.aclose()
        assert "requests a minute that you set" in refused.value.path[0].detail
        assert llm.received == 2


async def test_a_key_that_no_header_can_hold_is_told_and_not_shown() -> None:
    async with LLMFake() as llm, LLMFake() as healthy:
        settings = {
            "first": ProviderSettings.model_validate(
                {"api_base": llm.base_url, "default_model": "fake-1", "api_key": "sk-secret\nX-Other: 1"}
            ),
            "healthy": ProviderSettings(api_base=healthy.base_url, default_model="fake-1"),
        }
        client = ModelClient(Catalog.of(settings, {}, {"reasoning": "first"}, {"reasoning": ["healthy"]}))
        reply = await client.chat("reasoning", ASK)
        await client.aclose()
        assert reply.route.provider == "healthy"
        assert reply.path[0].needs_owner
        assert "secret" not in str(reply.path)
        assert llm.received == 0


async def test_an_answer_without_end_is_given_up() -> None:
    # One event of 17 MB, which no model's answer has.
    endless = Reply("x" * (17 * 1024 * 1024), pace=Pace(chunks=1))
    async with opened(case(endless), Chain(patient=True)) as scene:
        seen = await scene.turn()
        assert set(seen.errors("first")) == {"Malformed"}
        assert seen.by == "healthy/fake-1"


async def test_many_failures_at_once_are_no_busy_loop() -> None:
    async with opened(case(BROKEN)) as scene:
        turns = await asyncio.gather(*(scene.turn(str(number)) for number in range(20)))
        assert {turn.by for turn in turns} == {"healthy/fake-1"}
        assert scene.first.received <= 3, "as many as open the breaker"
        assert scene.healthy.received == 20

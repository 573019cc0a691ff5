"""A provider that died comes back: the reader is told once, without a message that has to find it out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.llm import LLMFake, Pace, Reply
from tests.fakes.openrouter import OpenRouterFake
from tests.journey.conversation import Conversation, Heard, provider, talking

SOON = "[jobs.probe]\nevery = 0.1\n"
NEVER = "[jobs.probe]\noff = true\n"
BY_HAND = "[jobs.probe]\nevery = 3600\n"
MODEL = "google/gemma-4-31b-it"
BACK = f"✅ openrouter/{MODEL} is back."


def metered(one: LLMFake, two: LLMFake, jobs: str = SOON) -> str:
    """OpenRouter costs money wherever it stands; the other one is at home."""
    first = f'[providers.openrouter]\napi_base = "{one.base_url}"\ndefault_model = "{MODEL}"\n'
    first += 'api_key = "sk-or-v1-test"\n'
    return first + provider("home", two.base_url) + "[jobs.catalogue]\noff = true\n" + jobs


def gateway() -> OpenRouterFake:
    return OpenRouterFake()


@asynccontextmanager
async def outage(chat: Conversation, *servers: LLMFake) -> AsyncIterator[None]:
    """Servers are down; the probe, which would find that out as well and wait half a minute, sleeps meanwhile."""
    await chat.app.jobs.pause("probe", paused=True)
    for server in servers:
        await server.down()
    yield
    for server in servers:
        await server.up()
    await chat.app.jobs.pause("probe", paused=False)


async def notice(chat: Conversation) -> Heard:
    async with asyncio.timeout(30.0):
        while True:
            heard = await chat.hear()
            if heard.notices:
                return heard


async def test_it_is_told_once_and_the_next_message_pays_nothing(tmp_path: Path) -> None:
    async with gateway() as one, LLMFake() as two, talking(tmp_path, metered(one, two)) as chat:
        await chat.ask("hello")
        async with outage(chat, one):
            heard = await chat.ask("are you there?")
        assert heard.answer == "You said: are you there?"
        assert [line.split(" ")[:2] for line in heard.notices] == [["⚠️", f"openrouter/{MODEL}"]]
        chats = len(one.requests)

        heard = await notice(chat)

        assert (heard.notices, heard.answers) == ([BACK], [])
        assert len(one.requests) == chats, "no call of a model"
        assert one.probes[-1].path.endswith("/key")
        asked_of_two = len(two.requests)
        heard = await chat.ask("and now?")
        assert (heard.answer, heard.notices) == ("You said: and now?", [])
        assert len(one.requests) == chats + 1
        assert len(two.requests) == asked_of_two
        assert "is back" not in str(one.requests[-1].body), "a notice is never part of the model's history"
        await asyncio.sleep(0.3)
        assert (await chat.hear()).notices == []


async def test_a_restart_neither_forgets_nor_repeats(tmp_path: Path) -> None:
    async with gateway() as one, LLMFake() as two:
        async with talking(tmp_path, metered(one, two, NEVER)) as chat:
            await one.down()
            assert len((await chat.ask("hello")).notices) == 1
        await one.up()
        async with talking(tmp_path, metered(one, two)) as chat:
            assert (await notice(chat)).notices == [BACK]
        async with talking(tmp_path, metered(one, two)) as chat:
            await asyncio.sleep(0.3)
            assert (await chat.hear()).notices == []
            assert (await chat.ask("hello")).notices == []


async def test_who_was_told_nothing_reads_nothing(tmp_path: Path) -> None:
    async with gateway() as one, LLMFake() as two, talking(tmp_path, metered(one, two)) as chat:
        await chat.ask("hello")
        async with outage(chat, one):
            await chat.app.jobs.run("probe", 5)
        await asyncio.sleep(0.3)
        assert (await chat.hear()).notices == []
        assert [probe.path for probe in one.probes if not probe.path.endswith(("/key", "/models"))] == []


async def test_where_nobody_was_left_the_first_that_is_back_is_told(tmp_path: Path) -> None:
    async with gateway() as one, LLMFake() as two, talking(tmp_path, metered(one, two)) as chat:
        async with outage(chat, two):
            await one.down()
            assert (await chat.ask("hello")).answer.startswith("No model can answer right now:")
        heard = await notice(chat)
        assert heard.notices == ["✅ home/fake-1 is back."]
        assert [request.body["max_tokens"] for request in two.requests] == [1], (
            "at home one token proves the model"
        )
        assert "hello" in (await chat.ask("hello again")).answer


async def test_an_answer_in_the_making_tells_it_itself(tmp_path: Path) -> None:
    async with gateway() as one, LLMFake() as two, talking(tmp_path, metered(one, two, BY_HAND)) as chat:
        await chat.ask("hello")
        await one.down()
        assert len((await chat.ask("hello")).notices) == 1
        await one.up()
        await chat.app.models.probe()
        one.push(Reply("so slow", pace=Pace(hold="go")))
        await chat.say("hello")
        await one.until(lambda: one.concurrent == 1)
        await chat.app.jobs.run("probe", 5)
        one.release("go")
        heard = await chat.hear_answer()
        assert heard.notices == [BACK]
        await chat.app.jobs.run("probe", 5)
        assert (await chat.hear()).notices == []

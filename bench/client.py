"""What a call through `providers.client` costs over the same call through httpx alone, in one process.

Beside it, where they are installed, what other people's routers cost; see `bench.rivals`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from statistics import median

import httpx

from bench.contest import FAILING, MODEL, Ask, Contestant, Scenario
from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatReply, ChatRequest, Message
from providers.wire import encode
from tests.fakes.llm import Pace, Reply
from tests.fakes.llm.control import LLMControl

BARE, OURS = "bare httpx", "nanobot"
SCENARIOS = (
    Scenario("the first is healthy"),
    Scenario("the first refuses each time", failing=1),
    Scenario("the first rests", failing=1, rests=True),
    Scenario("ten candidates", healthy=10),
    Scenario("ten, of which nine rest", failing=9, rests=True),
    Scenario("an answer in 200 pieces", pieces=200),
)
QUESTION = ("You are plain and brief.", "What is the capital of France?")
_REQUEST = ChatRequest((Message("system", QUESTION[0]), Message("user", QUESTION[1])), max_tokens=200)
_WORDS = 200
_WARM_UP = 10
_MANY = 10_000
_REST, _NO_REST = 600, 1
"""Seconds for which the failing model asks to be left alone, where it may rest and where not."""


def _limited(scenario: Scenario) -> Reply:
    seconds = _REST if scenario.rests else _NO_REST
    return Reply.error(429, {"error": {"message": "Rate limit reached"}}, retry_after=str(seconds))


@dataclass(frozen=True, slots=True)
class Overhead:
    """Of one scenario: milliseconds a call by whom, the median of each round, and how many requests reached the
    server in vain a call.
    """

    scenario: Scenario
    times: Mapping[str, Sequence[float]]
    vain: Mapping[str, float]

    def over(self, name: str) -> float:
        """Milliseconds over bare httpx: the median of the rounds' differences, since a machine's pace drifts."""
        return median(own - bare for own, bare in zip(self.times[name], self.times[BARE], strict=True))


async def overheads(llm: LLMControl, rivals: Sequence[Contestant], rounds: int, calls: int) -> list[Overhead]:
    """Every scenario; in each, all take their turns call by call."""
    contestants = (Contestant(BARE, bare), Contestant(OURS, nanobot), *rivals)
    return [await _overhead(llm, scenario, contestants, rounds, calls) for scenario in SCENARIOS]


async def _overhead(
    llm: LLMControl, scenario: Scenario, contestants: Sequence[Contestant], rounds: int, calls: int
) -> Overhead:
    await llm.clear()
    await llm.set_default(
        Reply(" ".join(f"word{number}" for number in range(_WORDS)), pace=Pace(chunks=scenario.pieces))
    )
    await llm.push(_limited(scenario), model=FAILING, times=_MANY)
    async with AsyncExitStack() as stack:
        asks: dict[str, Ask] = {}
        vain: dict[str, float] = {}
        for one in contestants:
            ask = asks[one.name] = await stack.enter_async_context(one.opened(llm.base_url, scenario))
            for _ in range(_WARM_UP):
                await ask()
            vain[one.name] = await _vain(llm, ask)
        times: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(rounds):
            of_round = [[await _timed(ask) for ask in asks.values()] for _ in range(calls)]
            for number, name in enumerate(asks):
                times[name].append(median(call[number] for call in of_round))
    return Overhead(scenario, times, vain)


@asynccontextmanager
async def bare(base_url: str, scenario: Scenario) -> AsyncIterator[Ask]:
    """The requests that the scenario can't do without, one after the other."""
    models = [FAILING] * (0 if scenario.rests else scenario.failing) + [MODEL]
    async with httpx.AsyncClient(trust_env=False, timeout=60.0) as http:

        async def ask() -> None:
            for model in models:
                address = f"{base_url}/chat/completions"
                async with http.stream("POST", address, json=encode(model, _REQUEST)) as response:
                    async for _ in response.aiter_bytes():
                        pass
                assert response.is_success is (model == MODEL), response.status_code

        yield ask


@asynccontextmanager
async def nanobot(base_url: str, scenario: Scenario) -> AsyncIterator[Ask]:
    """The project's client. Where the first is to be asked each time, its rest passes between the calls."""
    chain = [*(FAILING,) * scenario.failing, *(MODEL,) * scenario.healthy]
    providers = {
        f"p{number}": ProviderSettings(api_base=base_url, default_model=model)
        for number, model in enumerate(chain)
    }
    names = list(providers)
    now = [time.time()]
    catalog = Catalog.of(providers, {"main": names[0]}, {}, {"main": names[1:]})
    client = ModelClient(catalog, clock=lambda: now[0])

    async def ask() -> None:
        now[0] += 0.0 if scenario.rests else 2.0 * _NO_REST
        reply: object = None
        async with aclosing(client.stream("reasoning", _REQUEST)) as events:
            async for event in events:
                reply = event
        assert isinstance(reply, ChatReply), "the last event is the reply"
        assert reply.message.content.startswith("word0 word1 ")

    try:
        yield ask
    finally:
        await client.aclose()


async def _vain(llm: LLMControl, ask: Ask) -> float:
    """Requests of one call beyond the one that is answered."""
    before = await _received(llm)
    await ask()
    return await _received(llm) - before - 1


async def _received(llm: LLMControl) -> int:
    """Requests for chat that came to the stand-in so far."""
    received: int = (await llm.seen(since=sys.maxsize))["received"]
    return received


async def _timed(ask: Ask) -> float:
    began = time.perf_counter()
    await ask()
    return 1000 * (time.perf_counter() - began)

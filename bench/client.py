"""What a call through `providers.client` costs over the same call through httpx alone, in one process."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from statistics import median

import httpx

from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatReply, ChatRequest, Message
from providers.wire import encode
from tests.fakes.llm import Pace, Reply
from tests.fakes.llm.control import LLMControl

MODEL = "fake-1"
RESTS = "resting"
"""Another name for the same model stand-in; the first call to it is refused."""
_REQUEST = ChatRequest(
    (Message("system", "You are plain and brief."), Message("user", "What is the capital of France?")),
    max_tokens=200,
)
_DENIED = Reply.error(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
_WORDS = 200
_WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Overhead:
    """Milliseconds a call, the median of each round.

    `extra_calls` counts the requests that reached the stand-in beyond one a call.
    """

    bare: list[float]
    client: list[float]
    resting: list[float]
    extra_calls: int


async def overhead(llm: LLMControl, rounds: int, calls: int, pieces: int) -> Overhead:
    """Three kinds of calls by turns: httpx alone, the client, and the client with its first candidate resting.

    The answer is streamed in so many pieces, without a pause between them.
    """
    await llm.set_default(Reply("word " * _WORDS, pace=Pace(chunks=pieces)))
    async with (
        httpx.AsyncClient(trust_env=False, timeout=60.0) as http,
        _client(llm) as plain,
        _client(llm, RESTS) as rested,
    ):
        await llm.push(_DENIED)
        await _through(rested)
        ways: tuple[Callable[[], Awaitable[None]], ...] = (
            lambda: _bare(http, f"{llm.base_url}/chat/completions"),
            lambda: _through(plain),
            lambda: _through(rested),
        )
        for _ in range(_WARM_UP):
            for way in ways:
                await way()
        before = await _received(llm)
        timed = [[[await _timed(way) for way in ways] for _ in range(calls)] for _ in range(rounds)]
        extra = await _received(llm) - before - len(ways) * rounds * calls
    bare, client, resting = ([median(call[n] for call in of_round) for of_round in timed] for n in range(3))
    return Overhead(bare, client, resting, extra)


@asynccontextmanager
async def _client(llm: LLMControl, *before: str) -> AsyncIterator[ModelClient]:
    """With one provider, and others `before` it in the chain."""
    names = [*before, "fake"]
    providers = {name: ProviderSettings(api_base=llm.base_url, default_model=MODEL) for name in names}
    client = ModelClient(Catalog.of(providers, {"main": names[0]}, {}, {"main": names[1:]}))
    try:
        yield client
    finally:
        await client.aclose()


async def _bare(http: httpx.AsyncClient, address: str) -> None:
    async with http.stream("POST", address, json=encode(MODEL, _REQUEST)) as response:
        async for _ in response.aiter_bytes():
            pass
    assert response.is_success, response.status_code


async def _through(client: ModelClient) -> None:
    reply: object = None
    async with aclosing(client.stream("reasoning", _REQUEST)) as events:
        async for event in events:
            reply = event
    assert isinstance(reply, ChatReply), "the last event is the reply"


async def _received(llm: LLMControl) -> int:
    """Requests for chat that came to the stand-in so far."""
    received: int = (await llm.seen(since=sys.maxsize))["received"]
    return received


async def _timed(way: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await way()
    return 1000 * (time.perf_counter() - began)

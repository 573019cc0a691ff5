"""Every provider kind in `providers/adapters`, through the same suite. A kind that needs more than an address
names a driver in `drivers/provider_<kind>.py`: `serving(replies)`, a context that yields its `Stand`.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import pkgutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from types import ModuleType
from typing import Any

import pytest

import providers.adapters
from providers.base import ProviderSpec
from providers.errors import ProviderError
from providers.registry import kinds, load_spec
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Completion, Message, TextDelta
from tests.contract.stand import Stand
from tests.fakes.llm import LLMFake, Pace, Reply

KINDS = [module.name for module in pkgutil.iter_modules(providers.adapters.__path__)]
ASK = ChatRequest((Message("user", "hello there"),))


@asynccontextmanager
async def by_address(kind: str, *replies: Reply) -> AsyncIterator[Stand]:
    """A kind that talks to the server at its `api_base`, which most do."""
    async with LLMFake(*replies) as llm:
        provider = load_spec(kind).create("mine", ProviderSettings(kind=kind, api_base=llm.base_url))
        try:
            yield Stand(provider, llm)
        finally:
            await provider.aclose()


def standing(kind: str, *replies: Reply) -> AbstractAsyncContextManager[Stand]:
    driver = _driver(kind)
    stand: AbstractAsyncContextManager[Stand] = (
        driver.serving(*replies) if driver else by_address(kind, *replies)
    )
    return stand


def _driver(kind: str) -> ModuleType | None:
    name = f"tests.contract.drivers.provider_{kind}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


async def collected(stand: Stand) -> list[Any]:
    async with aclosing(stand.provider.stream(stand.model, ASK)) as events:
        return [event async for event in events]


def test_the_folder_is_what_the_registry_lists() -> None:
    assert sorted(KINDS) == list(kinds())
    assert "openai_compat" in KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_exports_its_spec_by_its_own_name(kind: str) -> None:
    spec = load_spec(kind)

    assert isinstance(spec, ProviderSpec)
    assert spec.kind == kind
    assert callable(spec.create)


@pytest.mark.parametrize("kind", KINDS)
async def test_making_one_opens_nothing(kind: str) -> None:
    settings = ProviderSettings(kind=kind, api_base="http://127.0.0.1:1/v1")
    provider = load_spec(kind).create("mine", settings)

    assert provider.name == "mine"
    await provider.aclose()
    await provider.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_deltas_come_first_and_one_completion_last(kind: str) -> None:
    async with standing(kind, Reply(("Hel", "lo"))) as stand:
        *deltas, completion = await collected(stand)

    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "Hello"
    assert not any(isinstance(delta, Completion) for delta in deltas)
    assert isinstance(completion, Completion)
    assert completion.message == Message("assistant", "Hello")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "reply",
    [
        Reply.error(500, {"error": {"message": "x"}}),
        Reply.error(429, {"error": {"message": "x"}}, retry_after="9"),
        Reply.html(),
        Reply.broken("close"),
        Reply.broken("reset", 1, "one two three"),
        Reply.broken("end", 1, "one two three"),
        Reply(""),
    ],
    ids=lambda reply: repr(reply)[-40:],
)
async def test_whatever_goes_wrong_is_an_error_of_ours(kind: str, reply: Reply) -> None:
    async with standing(kind, reply) as stand:
        with pytest.raises(ProviderError) as failed:
            await collected(stand)

    assert "\n" not in failed.value.detail
    assert len(failed.value.detail) <= 200


@pytest.mark.parametrize("kind", KINDS)
async def test_closing_the_stream_ends_the_call(kind: str) -> None:
    async with standing(kind, Reply("one two three four", pace=Pace(hold="never", hold_at=2))) as stand:
        stream = stand.provider.stream(stand.model, ASK)
        await anext(stream)
        await stream.aclose()

        await stand.llm.until(lambda: stand.llm.requests[0].outcome == "left", timeout=2)


@pytest.mark.parametrize("kind", KINDS)
async def test_cancelling_the_call_ends_it(kind: str) -> None:
    async with standing(kind, Reply("one two", pace=Pace(hold="never", hold_at=0))) as stand:
        call = asyncio.create_task(collected(stand))
        await stand.llm.until(lambda: bool(stand.llm.requests))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        await stand.llm.until(lambda: stand.llm.requests[0].outcome == "left", timeout=2)


@pytest.mark.parametrize("kind", KINDS)
async def test_it_can_be_used_again_after_a_failure(kind: str) -> None:
    async with standing(kind, Reply.broken("close", 1, "one two"), Reply("Hello")) as stand:
        with pytest.raises(ProviderError):
            await collected(stand)

        assert (await collected(stand))[-1].message.content == "Hello"


@pytest.mark.parametrize("kind", KINDS)
async def test_it_lists_its_models(kind: str) -> None:
    async with standing(kind) as stand:
        assert stand.model in [model.id for model in await stand.provider.models()]


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_do_not_wait_for_each_other(kind: str) -> None:
    held = Reply("slow", pace=Pace(hold="go", hold_at=0))
    async with standing(kind, held) as stand:
        slow = asyncio.create_task(collected(stand))
        await stand.llm.until(lambda: bool(stand.llm.requests))

        assert (await collected(stand))[-1].message.content == "You said: hello there"
        stand.llm.release("go")
        assert (await slow)[-1].message.content == "slow"

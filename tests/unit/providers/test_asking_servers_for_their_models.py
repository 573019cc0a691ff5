"""What the client learns from a local server before it asks it, and what it does where that is not possible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from providers.client import ModelClient
from providers.errors import NoModel
from providers.registry import Catalog, FoundProvider
from providers.settings import ProviderSettings
from providers.testing import Clock
from providers.types import ChatRequest, Message, ToolDef
from tests.fakes.llm import LLMFake, Reply, Setup
from tests.fakes.llm.http11 import Request
from tests.fakes.llm.peers import Answer

ASK = ChatRequest((Message("user", "hello there"),), timeout=20)
TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {}})


@asynccontextmanager
async def client_of(clock: Clock | None = None, **servers: LLMFake) -> AsyncIterator[ModelClient]:
    """Over servers on loopback that are known by their addresses only."""
    clock = clock or Clock()
    settings = {name: ProviderSettings(api_base=llm.base_url) for name, llm in servers.items()}
    client = ModelClient(Catalog.of(settings), clock=clock, sleep=clock.sleep)
    try:
        yield client
    finally:
        await client.aclose()


async def test_a_provider_without_a_named_model_is_asked_which_it_has_once() -> None:
    async with LLMFake(setup=Setup(models=("alpha", "beta"))) as llm, client_of(local=llm) as client:
        assert [str(route) for route in client.resolve("reasoning").routes] == ["local"]

        replies = [await client.chat("reasoning", ASK) for _ in range(3)]

        assert {str(reply.route) for reply in replies} == {"local/alpha"}
        assert str(replies[0].path[0].route) == "local/alpha"
        assert len(llm.probes) == 1
        assert [str(route) for route in client.resolve("local").routes] == ["local/alpha"]
        assert "local/beta" in client.choices()
        assert [str(route) for route in client.resolve("beta").routes] == ["local/beta"]


async def test_tools_are_not_sent_to_a_template_that_would_drop_them() -> None:
    async with LLMFake(setup=Setup(kind="llama-server", tools=False)) as llm, client_of(local=llm) as client:
        await client.chat("reasoning", replace(ASK, tools=(TOOL,)))

        assert "tools" not in llm.requests[0].body
        assert client.candidates("reasoning")[0].info.tools is False


async def test_a_later_candidate_with_tools_is_preferred_to_one_found_to_lack_them() -> None:
    async with (
        LLMFake(Reply("plain"), setup=Setup(kind="llama-server", tools=False)) as plain,
        LLMFake(Reply("able"), setup=Setup(kind="llama-server")) as able,
        client_of(plain=plain, able=able) as client,
    ):
        reply = await client.chat("reasoning", replace(ASK, tools=(TOOL,)))

        assert reply.message.content == "able"
        assert not plain.requests


async def test_ollama_is_not_sent_what_it_would_silently_cut() -> None:
    async with (
        LLMFake(setup=Setup(kind="ollama", n_ctx=2048)) as ollama,
        LLMFake(Reply("all of it"), setup=Setup(kind="llama-server", n_ctx=32768)) as llama,
        client_of(ollama=ollama, llama=llama) as client,
    ):
        reply = await client.chat("reasoning", replace(ASK, messages=(Message("user", "word " * 4000),)))

        assert reply.message.content == "all of it"
        assert not ollama.requests


async def test_a_server_that_keeps_its_models_to_itself_is_asked_all_the_same() -> None:
    async with LLMFake(setup=Setup(models=("m",))) as llm:
        llm.extra_routes = lambda request: Answer(404, {}) if request.path.endswith("/models") else None
        client = ModelClient(
            Catalog.of({"local": ProviderSettings(api_base=llm.base_url, default_model="m")})
        )
        for _ in range(2):
            await client.chat("reasoning", ASK)
        await client.aclose()

        assert len(llm.requests) == 2
        assert llm.connections == 1


async def test_a_server_without_any_model_says_so() -> None:
    async with LLMFake(setup=Setup(models=())) as llm, client_of(local=llm) as client:
        with pytest.raises(NoModel, match="lists no model"):
            await client.chat("reasoning", ASK)

        assert not llm.requests


async def test_a_server_that_is_down_is_found_to_be_so_without_a_second_try() -> None:
    async with LLMFake() as llm, client_of(local=llm) as client:
        await llm.down()
        with pytest.raises(NoModel) as nobody:
            await client.chat("reasoning", ASK)

        assert [(attempt.error, attempt.called) for attempt in nobody.value.path] == [("Unreachable", True)]


async def test_a_server_that_came_back_with_another_model_is_used() -> None:
    clock = Clock()
    async with LLMFake() as llm, client_of(clock, local=llm) as client:
        await llm.down()
        with pytest.raises(NoModel):
            await client.chat("reasoning", ASK)
        await llm.up()

        assert (await client.chat("reasoning", ASK)).route.model == "fake-1"


async def test_a_loading_server_is_waited_for_and_then_asked_for_its_models() -> None:
    clock = Clock()
    async with LLMFake(setup=Setup(kind="llama-server")) as llm:
        found = FoundProvider("llama", ProviderSettings(api_base=llm.base_url), loading=True)
        client = ModelClient(Catalog().adopting([found]), clock=clock, sleep=clock.sleep)
        llm.load_for(60)
        turn = asyncio.create_task(client.chat("reasoning", ASK))
        await llm.until(lambda: len(llm.probes) > 3)
        llm.load_for(0)
        reply = await turn
        await client.aclose()
        assert [request.body["model"] for request in llm.requests] == ["fake-1"]

    assert [attempt.error for attempt in reply.path] == ["Loading", ""]
    assert str(reply.route) == "llama/fake-1"
    assert client.candidates("reasoning")[0].info.context_window == 8192


async def test_a_named_model_of_a_loading_server_is_looked_up_once_it_has_loaded() -> None:
    clock = Clock()
    async with LLMFake(setup=Setup(kind="llama-server")) as llm:
        settings = ProviderSettings(api_base=llm.base_url, default_model="mine")
        client = ModelClient(Catalog.of({"local": settings}), clock=clock, sleep=clock.sleep)
        llm.load_for(60)
        turn = asyncio.create_task(client.chat("reasoning", ASK))
        await llm.until(lambda: len(llm.requests) + len(llm.probes) > 3)
        assert len(llm.probes) == 1  # not again at every poll
        llm.load_for(0)
        await turn
        clock.now += 31

        await client.chat("reasoning", ASK)

        assert [model.id for model in client.catalog.listed["local"]] == ["fake-1", "mine"]
        await client.aclose()


async def test_a_resting_server_is_not_asked_for_its_models_either() -> None:
    asked: list[str] = []

    def deny(request: Request) -> Answer:
        asked.append(request.path)
        return Answer(401, {"error": {"message": "no"}})

    async with LLMFake() as llm, client_of(local=llm) as client:
        llm.extra_routes = deny
        for _ in range(3):
            with pytest.raises(NoModel) as nobody:
                await client.chat("reasoning", ASK)
            assert nobody.value.path[0].error == "Denied"

    assert asked == ["/v1/models"]


async def test_a_proxy_of_the_environment_is_not_used_on_the_way_to_a_local_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with LLMFake() as llm, client_of(local=llm) as client:
        assert (await client.chat("reasoning", ASK)).message.content == "You said: hello there"


async def test_an_ill_configured_provider_is_passed_over_with_its_reason() -> None:
    async with LLMFake() as llm:
        settings = {
            "broken": ProviderSettings(kind="no-such-kind", api_base="http://127.0.0.1:1/v1"),
            "good": ProviderSettings(api_base=llm.base_url),
        }
        client = ModelClient(Catalog.of(settings))
        reply = await client.chat("reasoning", ASK)
        await client.aclose()

    first = reply.path[0]
    assert (first.error, first.needs_owner) == ("Misconfigured", True)
    assert "kinds are" in first.detail
    assert reply.route.provider == "good"


async def test_a_server_that_appears_while_running_is_used() -> None:
    async with LLMFake() as llm:
        client = ModelClient(Catalog())
        with pytest.raises(NoModel):
            await client.chat("reasoning", ASK)

        found = FoundProvider("llama", ProviderSettings(api_base=llm.base_url))
        await client.adopt(client.catalog.adopting([found]))

        assert (await client.chat("reasoning", ASK)).message.content == "You said: hello there"
        await client.aclose()


async def test_the_status_shows_addresses_and_models() -> None:
    async with LLMFake() as llm, client_of(local=llm) as client:
        await client.chat("reasoning", ASK)

        [status] = client.status()

    assert (status.name, status.kind, status.address, status.local, status.model) == (
        "local",
        "openai_compat",
        llm.base_url,
        True,
        "fake-1",
    )


async def test_what_a_local_server_told_counts_for_a_minute() -> None:
    clock = Clock()
    async with LLMFake(setup=Setup(kind="llama-server")) as llm, client_of(clock, local=llm) as client:
        for _ in range(3):
            await client.chat("reasoning", ASK)
        asked = len(llm.probes)
        llm.setup = Setup(kind="llama-server", models=("other",), n_ctx=2048)
        clock.now += 61

        await client.chat("reasoning", ASK)

        [candidate] = client.candidates("reasoning")
        assert (candidate.route.model, candidate.info.context_window) == ("other", 2048)
        assert len(llm.probes) == 2 * asked


async def test_a_server_that_does_not_tell_again_keeps_what_it_told() -> None:
    clock = Clock()
    async with LLMFake(setup=Setup(kind="llama-server")) as llm, client_of(clock, local=llm) as client:
        await client.chat("reasoning", ASK)
        llm.extra_routes = lambda request: Answer(500, {}) if request.method == "GET" else None
        clock.now += 61

        await client.chat("reasoning", ASK)

        assert client.candidates("reasoning")[0].info.context_window == 8192


async def test_a_server_that_was_gone_is_asked_again_and_what_it_refused_is_forgotten() -> None:
    clock = Clock()
    no_tools = Reply.error(500, {"error": {"message": "tools param requires --jinja flag"}})
    setup = Setup(kind="llama-server")
    async with LLMFake(no_tools, Reply("plain"), setup=setup) as llm, client_of(clock, local=llm) as client:
        with_tool = replace(ASK, tools=(TOOL,))
        assert (await client.chat("reasoning", with_tool)).message.content == "plain"
        assert client.candidates("reasoning")[0].info.tools is False
        await llm.down()
        with pytest.raises(NoModel):
            await client.chat("reasoning", with_tool)
        await llm.up()
        clock.now += 31

        await client.chat("reasoning", with_tool)

        assert client.candidates("reasoning")[0].info.tools is True
        assert "tools" in llm.requests[-1].body

"""What is found without configuration: by the shape of its answers, without sending it anything."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from providers.discovery import keys_in_environment, probe_local
from providers.registry import Catalog
from providers.types import ModelInfo
from tests.fakes.llm import LLMFake, Setup
from tests.fakes.llm.peers import Kind


@asynccontextmanager
async def servers(**kinds: Kind) -> AsyncIterator[dict[str, LLMFake]]:
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(LLMFake(setup=Setup(kind=kind)))
            for name, kind in kinds.items()
        }


def ports(fakes: dict[str, LLMFake]) -> dict[str, int]:
    return {name: fake.port for name, fake in fakes.items()}


async def test_every_known_server_is_found_in_order_with_what_it_tells() -> None:
    async with servers(llama="llama-server", ollama="ollama", lmstudio="lm-studio", vllm="vllm") as fakes:
        found = await probe_local({}, ports(fakes))

        here = ModelInfo("fake-1", 8192, True, vision=False, slots=1, loaded=True)
        assert [one.name for one in found] == ["llama", "ollama", "lmstudio", "vllm"]
        assert [one.models for one in found] == [
            (here,),
            (replace(here, thinks=False),),
            (here,),
            (ModelInfo("fake-1", 8192),),
        ]
        assert [one.settings.api_base for one in found] == [fake.base_url for fake in fakes.values()]
        assert found[0].why == (
            f"a llama-server answers at {fakes['llama'].url} with fake-1 (window of 8192 tokens)"
        )


async def test_no_server_is_sent_a_key_or_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # nor is a proxy asked
    async with servers(llama="llama-server", ollama="ollama", lmstudio="lm-studio", vllm="vllm") as fakes:
        await probe_local({"OPENAI_API_KEY": "sk-secret"}, ports(fakes))

        for fake in fakes.values():
            assert not fake.requests
            assert fake.probes
            assert all("authorization" not in probe.headers for probe in fake.probes)


@pytest.mark.parametrize("kind", ["website", "llama-server", "openai"])
async def test_a_program_of_another_kind_at_a_port_is_not_taken_for_ollama(kind: Kind) -> None:
    async with servers(ollama=kind) as fakes:
        assert await probe_local({}, ports(fakes)) == []


async def test_a_web_site_at_the_usual_ports_is_no_model_server() -> None:
    async with servers(llama="website", ollama="website", lmstudio="website", vllm="website") as fakes:
        assert await probe_local({}, ports(fakes)) == []


async def test_another_server_of_the_same_protocol_at_llama_servers_port_is_used() -> None:
    async with servers(llama="openai") as fakes:
        [found] = await probe_local({}, ports(fakes))

    assert found.models == (ModelInfo("fake-1"),)


async def test_a_server_that_wants_a_key_is_left_alone() -> None:
    async with LLMFake(setup=Setup(kind="llama-server", key="secret")) as fake:
        assert await probe_local({}, {"llama": fake.port}) == []


async def test_a_loading_server_counts_and_says_so() -> None:
    async with LLMFake(setup=Setup(kind="llama-server")) as fake:
        fake.load_for(60)
        [found] = await probe_local({}, {"llama": fake.port})

    assert found.loading
    assert found.models == ()
    assert "loading" in found.why
    assert Catalog().adopting([found]).default_model("llama") == ""


async def test_nothing_listens() -> None:
    started = time.monotonic()

    assert await probe_local({}, {"llama": 1, "ollama": 1, "lmstudio": 1, "vllm": 1}) == []
    assert time.monotonic() - started < 1.5


async def test_a_silent_port_holds_nothing_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with servers(ollama="ollama") as fakes:
            started = time.monotonic()
            found = await probe_local({}, {"llama": silent.getsockname()[1], **ports(fakes)})

    assert [one.name for one in found] == ["ollama"]
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    "said", ["127.0.0.1:{port}", "http://127.0.0.1:{port}", "http://localhost:{port}/", "0.0.0.0:{port}"]
)
async def test_ollamas_own_variable_is_honoured(said: str) -> None:
    async with servers(ollama="ollama") as fakes:
        port = fakes["ollama"].port
        [found] = await probe_local({"OLLAMA_HOST": said.format(port=port)}, {"ollama": 1})

    assert str(found.settings.api_base).endswith(f":{port}/v1")


@pytest.mark.parametrize("path", ["", "/v1", "/v1/"])
async def test_llama_servers_variable_is_honoured(path: str) -> None:
    async with servers(llama="llama-server") as fakes:
        url = fakes["llama"].url
        [found] = await probe_local({"LLAMA_BASE_URL": url + path}, {"llama": 1})

    assert found.settings.api_base == f"{url}/v1"


@pytest.mark.parametrize("nonsense", ["http://[", "::::", "host:notaport", "   "])
async def test_nonsense_in_a_variable_means_the_usual_places(nonsense: str) -> None:
    async with servers(ollama="ollama") as fakes:
        found = await probe_local({"OLLAMA_HOST": nonsense}, ports(fakes))

    assert [one.name for one in found] == ["ollama"]


async def test_ipv6_is_looked_at_too() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = b'{"data":[{"id":"six"}]}' if b"/v1/models" in head else b"{}"
        writer.write(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        writer.close()

    try:
        server = await asyncio.start_server(talk, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    async with server:
        [found] = await probe_local({}, {"llama": server.sockets[0].getsockname()[1]})

    assert [model.id for model in found.models] == ["six"]
    assert str(found.settings.api_base).startswith("http://[::1]:")


def test_keys_in_the_environment_are_found_strongest_first() -> None:
    env = {
        "OPENROUTER_API_KEY": "a",
        "ANTHROPIC_API_KEY": " b ",
        "GOOGLE_API_KEY": "c",
        "GROQ_API_KEY": " ",
        "PATH": "/",
    }

    found = keys_in_environment(env)

    assert [one.name for one in found] == ["anthropic", "gemini", "openrouter"]
    assert found[0].settings.api_key is not None
    assert found[0].settings.api_key.get_secret_value() == "b"
    assert found[0].why == (
        "ANTHROPIC_API_KEY is set: anthropic with claude-opus-5-5, lighter work by claude-haiku-5-5"
    )

"""The probe against a real llama.cpp server that was away: nothing is believed before its model has spoken."""

from __future__ import annotations

import asyncio
import socket

import pytest

from providers.client import ModelClient
from providers.errors import NoModel
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.testing import Clock
from providers.types import ChatRequest, Message
from tests.fakes.llama import llama_server, loading_server

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ASK = ChatRequest((Message("user", "hello"),), max_tokens=4, timeout=60.0)


def client_at(port: int, clock: Clock) -> ModelClient:
    settings = ProviderSettings(api_base=f"http://127.0.0.1:{port}/v1", default_model="gemma")
    return ModelClient(Catalog.of({"home": settings}), clock=clock, sleep=clock.sleep)


async def test_one_that_was_away_is_back_once_its_model_has_said_a_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = int(reserved.getsockname()[1])
    clock = Clock()
    client = client_at(port, clock)
    with pytest.raises(NoModel):
        await client.chat("home", ASK)
    clock.now += 400
    await client.probe(["home/gemma"])
    assert not client.well("home/gemma")
    with llama_server("gemma", port=port):
        clock.now += 400
        await client.probe(["home/gemma"])
        assert client.well("home/gemma")
        assert (await client.chat("home", ASK)).path[-1].error == ""
    await client.aclose()


async def test_one_that_loads_is_not_back_yet() -> None:
    clock = Clock()
    with loading_server("gemma") as server:
        client = client_at(server.port, clock)
        looks = 0
        async with asyncio.timeout(120):
            while not client.well("home/gemma"):
                await client.probe(["home/gemma"])
                clock.now += 30
                looks += 1
                await asyncio.sleep(0.02)
        assert looks > 1, "it was loading when it was first asked"
        assert client.resting("home") == ()
        await client.aclose()

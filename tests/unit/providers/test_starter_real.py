"""The built-in model itself, served by llama.cpp; `make run` and `make test-real` install both."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from providers import starter
from providers.adapters.starter import SPEC, StarterProvider
from providers.llama_process import LlamaProcess
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Completion, Message, TextDelta

pytestmark = pytest.mark.real


@pytest.fixture
async def process() -> AsyncIterator[LlamaProcess]:
    made = LlamaProcess(starter.command)
    yield made
    await made.aclose()


def question(*words: str) -> ChatRequest:
    """A conversation, what the person and the model said taking turns."""
    roles = ("user", "assistant")
    talk = tuple(Message(roles[i % 2], word) for i, word in enumerate(words))  # type: ignore[arg-type]
    return ChatRequest((Message("system", starter.STARTER_PROMPT), *talk))


async def test_it_answers_as_sensibly_as_it_can(process: LlamaProcess) -> None:
    provider = StarterProvider("starter", ProviderSettings(), process)
    request = question("What is the capital of France?", "The capital of France is Paris.", "And of Italy?")

    events = [event async for event in provider.stream(starter.MODEL, request)]
    await provider.aclose()

    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert "Rome" in text
    last = events[-1]
    assert isinstance(last, Completion)
    assert (last.message.content, last.finish) == (text, "stop")
    assert 0 < last.usage.prompt_tokens < 200


async def test_two_of_them_listen_on_loopback_beside_each_other(process: LlamaProcess) -> None:
    other = LlamaProcess(starter.command)
    try:
        addresses = [urlsplit((await one.start()).base_url) for one in (process, other)]
    finally:
        await other.aclose()

    assert [address.hostname for address in addresses] == ["127.0.0.1"] * 2
    assert addresses[0].port != addresses[1].port


async def test_other_programs_cannot_use_it(process: LlamaProcess) -> None:
    endpoint = await process.start()

    async with httpx.AsyncClient(base_url=endpoint.base_url, trust_env=False) as stranger:
        for headers in ({}, {"Authorization": "Bearer guessed"}):
            refused = await stranger.post("/chat/completions", json={"messages": []}, headers=headers)
            assert refused.status_code == 401


async def test_it_is_made_from_its_kind_without_any_setting() -> None:
    provider = SPEC.create("starter", ProviderSettings(kind="starter"))

    events = [event async for event in provider.stream(starter.MODEL, question("Say hello."))]
    await provider.aclose()

    assert isinstance(events[-1], Completion)


_PARENT = """
import asyncio
from providers import starter
from providers.llama_process import LlamaProcess

async def main():
    endpoint = await LlamaProcess(starter.command).start()
    print(endpoint.base_url, endpoint.api_key, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_it_leaves_within_a_second_when_its_parent_is_killed_in_the_middle_of_an_answer() -> None:
    root = Path(__file__).parents[3]
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(root)}
    )
    assert parent.stdout is not None
    base, key = (await parent.stdout.readline()).decode().split()
    port = urlsplit(base).port
    assert port is not None

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "Tell me a long story."}]})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    await reader.readuntil(b"content")
    parent.kill()
    await parent.wait()

    async with asyncio.timeout(1):
        while _listens(port):
            await asyncio.sleep(0.01)
    writer.close()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0

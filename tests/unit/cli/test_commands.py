"""The command `nanobot` as a shell sees it: exit codes, the two outputs, and never a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.cli.faults import Fault, explain
from bot.cli.options import Options
from bot.errors import ConfigError, NotRunning
from tests.architecture.tree import ROOT
from tests.fakes.control import FakeControl, attached, idle, message, preview


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bot", *arguments]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **(extra or {})}


def nanobot(*arguments: str, text: str = "", extra: Mapping[str, str] | None = None) -> Ended:
    done = subprocess.run(
        command(*arguments), env=environment(extra), input=text, capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


async def beside(*arguments: str, text: str = "") -> Ended:
    """The same, while the test goes on serving."""
    return await asyncio.to_thread(nanobot, *arguments, text=text)


def test_help_shows_every_command_and_an_example() -> None:
    shown = nanobot("--help")

    assert shown.code == 0
    for name in ("run", "chat", "status", "check", "resolve", "pair", "local", "nanobot chat -m"):
        assert name in shown.out


def test_help_waits_for_nothing_heavy() -> None:
    """The whole program takes a second to import; a line of help must not."""
    watch = (
        "import sys; from bot.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    arguments = [sys.executable, "-c", watch, "--help"]
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=True)

    assert "typer" in done.stderr
    for heavy in ("pydantic", "sqlalchemy", "httpx", "telegram", "starlette", "prompt_toolkit"):
        assert f"'{heavy}'" not in done.stderr


def test_without_a_terminal_and_a_command_it_shows_help_and_fails() -> None:
    shown = nanobot()

    assert shown.code == 2
    assert "Usage: nanobot" in shown.out


def test_version() -> None:
    shown = nanobot("--version")

    assert shown.code == 0
    assert shown.out.startswith("nanobot 0")


@pytest.mark.parametrize(
    "arguments", [("frobnicate",), ("chat", "--frobnicate"), ("resolve",), ("pair", "approve")]
)
def test_wrong_usage_is_two(arguments: tuple[str, ...]) -> None:
    ended = nanobot(*arguments)

    assert ended.code == 2
    assert ended.out == ""
    assert "Usage: nanobot" in ended.err


def test_check_says_that_all_is_well(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[providers.groq]\napi_key = "gsk-1"\n[tools]\noff = ["files"]\n')
    file.chmod(0o600)

    ended = nanobot("--config", str(file), "--data", str(tmp_path / "data"), "check")

    assert (ended.code, ended.err) == (0, "")
    assert str(file) in ended.out
    assert "gsk-1" not in ended.out
    assert not (tmp_path / "data").exists()


def test_check_mentions_a_provider_without_its_key(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[providers.groq]\n")

    ended = nanobot("--config", str(tmp_path / "config.toml"), "check")

    assert ended.code == 0
    assert "GROQ_API_KEY" in ended.out


@pytest.mark.parametrize("name", ["check", "run", "status"])
def test_a_broken_configuration_is_two_where_it_is_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[agent]\nmax_stepps = 3\n[toools]\n")

    ended = nanobot("--config", str(file), "--data", str(tmp_path / "data"), name)

    if name == "status":
        assert ended.code == 1, "it isn't read: nothing runs"
        return
    assert (ended.code, ended.out) == (2, "")
    assert f"{file}:2:" in ended.err
    assert f"{file}:3:" in ended.err
    assert "Traceback" not in ended.err


def test_a_name_is_resolved_from_the_file_alone(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[providers.mine]\napi_base = "http://127.0.0.1:9/v1"\nmodels = ["m"]\n'
        '[models]\nmain = "mine/m"\n[roles]\nreasoning = "main"\n'
    )
    arguments = ("--config", str(tmp_path / "config.toml"), "--data", str(tmp_path / "data"), "resolve")

    shown, told = nanobot(*arguments, "reasoning"), nanobot(*arguments, "reasoning", "--json")
    unknown = nanobot(*arguments, "nonsense")

    assert (shown.code, told.code, unknown.code) == (0, 0, 1)
    assert "1. mine/m" in shown.out
    assert "main is an alias of mine/m" in shown.out
    assert json.loads(told.out)["routes"] == ["mine/m"]
    assert "nonsense" in unknown.err
    assert unknown.out == ""
    assert not (tmp_path / "data").exists()


def test_status_without_a_bot(tmp_path: Path) -> None:
    shown = nanobot("--data", str(tmp_path), "status")
    told = nanobot("--data", str(tmp_path), "status", "--json")

    assert (shown.code, told.code) == (1, 1)
    assert "not running" in shown.out
    assert json.loads(told.out)["running"] is False


def test_a_data_folder_that_can_not_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    ended = nanobot("--data", str(tmp_path / "file" / "data"), "pair", "list")

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert "--data" in ended.err


def test_what_is_made_for_people_is_shown_as_it_stands() -> None:
    assert explain(ConfigError(["a:1: x", "a:2: y"]), verbose=True) == Fault("a:1: x\na:2: y", 2)
    assert explain(NotRunning("nobody"), verbose=False) == Fault("nobody", 1)
    closed = explain(PermissionError(13, "Permission denied", "/d/nanobot.db"), verbose=False)
    assert closed.text.startswith("/d/nanobot.db: Permission denied; use sudo, ")
    assert explain(ExceptionGroup("tasks", [NotRunning("nobody")]), verbose=False) == Fault("nobody", 1)


def test_a_fault_of_ours_is_one_line_and_with_v_a_trace() -> None:
    with pytest.raises(KeyError) as caught:
        raise KeyError("one\nline")
    plain, verbose = explain(caught.value, verbose=False), explain(caught.value, verbose=True)

    assert plain.code == verbose.code == 1
    assert plain.text.startswith("nanobot failed: KeyError: ")
    assert "\n" not in plain.text
    assert verbose.text.startswith("Traceback")
    assert verbose.text.endswith(plain.text)


async def test_a_question_prints_its_answer_alone(control: FakeControl, options: Options) -> None:
    control.on_attach = [attached(busy=True), message("from yesterday"), idle()]
    control.answers = lambda text: [message("a rests", "notice"), message(f"**{text}**!"), idle()]

    asked = await beside("--data", str(options.data), "chat", "-m", "Well")
    piped = await beside("--data", str(options.data), "chat", "-m", "-", text="from a pipe\n")

    assert asked == Ended(0, "**Well**!\n", "from yesterday\na rests\n")
    assert piped.out == "**from a pipe**!\n"


async def test_a_question_without_an_answer_fails(control: FakeControl, options: Options) -> None:
    control.answers = lambda text: [message("No model can answer right now."), idle("NoModelLeft")]

    ended = await beside("--data", str(options.data), "chat", "-m", "hello")

    assert ended == Ended(1, "", "No model can answer right now.\n")


async def test_an_empty_question_is_not_sent(control: FakeControl, options: Options) -> None:
    ended = await beside("--data", str(options.data), "chat", "-m", "-", text=" \n")

    assert ended.code == 1
    assert "nothing to ask" in ended.err
    assert control.said == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_interrupted_it_stops_the_answer(
    control: FakeControl, options: Options, number: signal.Signals, code: int
) -> None:
    control.answers = lambda text: [idle("Stopped")] if text == "/stop" else [preview("So")]
    asking = await asyncio.create_subprocess_exec(
        *command("--data", str(options.data), "chat", "-m", "hello"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    await control.heard("hello")
    asking.send_signal(number)
    out, err = await asking.communicate()

    assert (asking.returncode, out, err) == (code, b"", b"")
    assert control.said == ["hello", "/stop"]


async def test_another_configuration_than_the_bots_is_mentioned(
    control: FakeControl, options: Options
) -> None:
    control.answers = lambda text: [message("Yes"), idle()]

    ended = await beside("--data", str(options.data), "--config", "my.toml", "chat", "-m", "hello")

    assert (ended.code, ended.out) == (0, "Yes\n")
    assert "--config changes nothing" in ended.err


async def test_pairing_through_a_bot_that_runs(control: FakeControl, options: Options) -> None:
    pending = {
        "code": "ABCD2345",
        "channel": "telegram",
        "sender": "77",
        "sender_name": "Ann\x1b[2Ja",
        "expires_at": 9_999_999_999.0,
    }
    control.replies["GET /v1/pairings"] = (200, [pending])
    control.replies["POST /v1/pairings/ABCD2345"] = (
        200,
        {"person": "anna", "role": "user", "channel": "telegram"},
    )
    arguments = ("--data", str(options.data), "pair")

    listed = await beside(*arguments, "list")
    approved = await beside(*arguments, "approve", "ABCD2345", "--as", "anna")
    refused = await beside(*arguments, "refuse", "ABCD2345")
    unknown = await beside(*arguments, "approve", "WRONG")

    assert [ended.code for ended in (listed, approved, refused, unknown)] == [0, 0, 0, 1]
    assert "ABCD2345  telegram  Ann[2Ja (77)" in listed.out
    assert approved.out == "Let in on telegram as a user, by the name of anna.\n"
    assert "ABCD2345" in refused.out
    assert unknown.out == ""


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    arguments = command("--data", str(tmp_path), "status", "--json")
    done = subprocess.run(
        arguments, env=environment(), stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (1, "")

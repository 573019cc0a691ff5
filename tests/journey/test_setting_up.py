"""A newcomer's way through the real commands: init by questions at a terminal, init by flags, doctor, status."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import termios
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.llm import LLMFake, Reply, Setup
from tests.fakes.telegram import TelegramFake
from tests.journey.test_command_line import Machine, Screen

CALL = Reply.tool("note_number", {"number": 7})


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    # Nothing of this machine is to be found: both variables replace the usual ports by one where nobody listens.
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("LLAMA_BASE_URL", "http://127.0.0.1:9")
    return Machine(tmp_path)


@asynccontextmanager
async def at_a_terminal(
    machine: Machine, *arguments: str
) -> AsyncIterator[tuple[Screen, asyncio.subprocess.Process]]:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, 120))
    process = await asyncio.create_subprocess_exec(
        *machine.command(*arguments), env=machine.environment(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    try:
        yield Screen(ours), process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        os.close(ours)
        os.close(theirs)


async def decline_what_was_found(screen: Screen) -> None:
    """Whatever else this machine has (the built-in model, servers at the ports without a variable)."""
    while "answer?\n" not in screen.read().replace("\r", ""):
        if screen.text.rstrip().endswith("[Y/n]"):
            screen.type("n\r")
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.02)


async def test_questions_at_a_terminal_lead_to_a_bot_that_answers(machine: Machine) -> None:
    config = machine.folder / "config.toml"
    async with LLMFake(setup=Setup(key="sk-1")) as llm, TelegramFake() as telegram:
        config.write_text(f'# mine\n[channels.telegram]\ntoken = "1:a"\nbase_url = "{telegram.base_url}"\n')
        llm.default = Reply("Good morning.")
        async with at_a_terminal(machine, "init") as (screen, process):
            async with asyncio.timeout(20):
                await decline_what_was_found(screen)
            screen.type("2\r")
            await screen.shows("Which one")
            screen.type(f"{llm.base_url}\r")
            await screen.shows("A name for it")
            screen.type("mine\r")
            await screen.shows("Its key")
            screen.type("sk-1\r")
            await screen.shows("ok: mine accepts the key")
            screen.type("\r")
            await screen.shows("The bot's token")
            screen.type(f"{telegram.token}\r")
            await screen.shows("ok: the token is that of @fake_bot")
            await screen.shows("Your number")
            screen.type("42\r")
            await screen.shows("Write it?")
            screen.type("\r")
            await screen.shows("Next:")
            async with asyncio.timeout(30.0):
                code = await process.wait()
        answer = await machine.nanobot("chat", "-m", "hello")

    assert code == 0
    assert "sk-1" not in screen.text
    assert telegram.token not in screen.text
    assert config.read_text().startswith("# mine\n")
    assert config.stat().st_mode & 0o777 == 0o600
    assert tomllib.loads(config.read_text()) == {
        "channels": {"telegram": {"token": telegram.token, "base_url": telegram.base_url}},
        "people": {"owner": {"telegram": 42, "role": "owner"}},
        "providers": {"mine": {"api_base": llm.base_url, "api_key": "sk-1"}},
    }
    assert answer == (0, "Good morning.\n", "")


async def test_ctrl_c_leaves_the_file_as_it_was(machine: Machine) -> None:
    config = machine.folder / "config.toml"
    config.write_text("# mine\n")
    before = config.stat()
    async with at_a_terminal(machine, "init") as (screen, process):
        async with asyncio.timeout(20):
            await decline_what_was_found(screen)
        screen.type("5\r")
        await screen.shows("Which one")
        screen.type("kilo\r")
        await screen.shows("all right with you")
        screen.type("y\r")
        screen.type("\x03")
        await screen.shows("Nothing was written.")
        async with asyncio.timeout(30.0):
            code = await process.wait()

    assert code == 130
    assert "Traceback" not in screen.text
    assert config.read_text() == "# mine\n"
    assert config.stat().st_mtime_ns == before.st_mtime_ns
    assert list(machine.folder.glob(".*")) == []


async def test_flags_write_what_a_start_reads(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-1")
    async with LLMFake(Reply("Yes."), setup=Setup(key="sk-1")) as llm:
        flags = (
            "init",
            "--provider",
            "mine",
            "--api-base",
            llm.base_url,
            "--key-env",
            "MY_KEY",
            "--limit-month",
            "5",
        )
        (machine.folder / "config.toml").write_text("# mine\n")
        shown = await machine.nanobot(*flags)
        done = await machine.nanobot(*flags, "--yes", "--json")
        again = await machine.nanobot(*flags, "--yes")
        answer = await machine.nanobot("chat", "-m", "hello")

    assert shown[0] == 1
    assert "add --yes" in shown[1]
    assert (done[0], again[0]) == (0, 0)
    report = json.loads(done[1])
    assert report["written"]
    assert report["changes"] == {
        "providers.mine.api_base": llm.base_url,
        "providers.mine.api_key": "env:MY_KEY",
        "limits.usd_per_month": 5.0,
    }
    assert [check["state"] for check in report["checks"]] == ["ok"]
    assert "Nothing to change" in again[1]
    assert (machine.folder / "config.toml").read_text().startswith("# mine\n")
    assert answer[1] == "Yes.\n"


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ((), 2, "needs a terminal"),
        (("--provider", "mine"), 2, "add --api-base"),
        (("--provider", "groq"), 2, "--key-env"),
        (("--provider", "groq", "--anonymous"), 2, "serves nobody without a key"),
        (("--provider", "kilo"), 2, "add --anonymous"),
        (("--key-env", "X"), 2, "--provider"),
        (("--provider", "groq", "--key-env", "NOT_SET"), 1, "NOT_SET is not set"),
        (("--provider", "groq", "--key-file", "/nowhere"), 1, "/nowhere: can't be read"),
        (("--gguf", "/nowhere.gguf"), 1, "/nowhere.gguf: No such file"),
        (("--limit-day", "-1"), 2, "--limit-day"),
    ],
)
async def test_flags_that_can_not_work_are_explained(
    machine: Machine, flags: tuple[str, ...], code: int, said: str
) -> None:
    (machine.folder / "config.toml").write_text("")

    ended, out, err = await machine.nanobot("init", *flags, "--yes")

    assert ended == code
    assert said in err
    assert "Traceback" not in err
    assert (out, (machine.folder / "config.toml").read_text()) == ("", "")


async def test_a_refused_key_is_not_written(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.folder / "key").write_text("wrong\n")
    async with LLMFake(setup=Setup(key="sk-1")) as llm:
        flags = ("--provider", "mine", "--api-base", llm.base_url, "--key-file", str(machine.folder / "key"))
        code, out, _ = await machine.nanobot("init", *flags, "--yes")

    assert code == 1
    assert "refused: mine refuses this key" in out
    assert not (machine.folder / "config.toml").exists()


async def test_a_provider_of_the_files_own_is_tried_again(machine: Machine) -> None:
    async with LLMFake() as llm:
        config = machine.folder / "config.toml"
        config.write_text(f'[providers.mine]\napi_base = "{llm.base_url}"\n')
        config.chmod(0o600)
        before = config.read_text()
        code, out, err = await machine.nanobot("init", "--provider", "mine", "--yes")

    assert (code, err) == (0, "")
    assert "mine: ok" in out
    assert config.read_text() == before


async def test_the_doctor_beside_a_daemon_and_without_one(machine: Machine) -> None:
    async with LLMFake(setup=Setup(kind="llama-server", models=("fake-1",), n_ctx=32_768)) as llm:
        llm.default = CALL
        machine.configure(llm.base_url)
        (machine.folder / "config.toml").chmod(0o600)
        alone = await machine.nanobot("doctor")
        async with machine.daemon():
            beside = await machine.nanobot("doctor", "--json")
            status = json.loads((await machine.nanobot("status", "--json"))[1])
    gone = await machine.nanobot("doctor")

    assert alone[0] == 0, alone
    assert "All is well." in alone[1]
    assert "one/fake-1" in alone[1]
    report: dict[str, Any] = json.loads(beside[1])
    assert (beside[0], report["worst"]) == (0, "ok")
    texts = {finding["subject"]: finding["text"] for finding in report["findings"]}
    assert "runs (pid" in texts["daemon"]
    assert "called a tool" in texts["one"]
    assert "whole" in texts["database"]
    assert gone[0] == 2
    assert "nothing listens at" in gone[1]
    assert "sk-test-123" not in alone[1] + beside[1] + gone[1]
    (provider,) = status["providers"]
    assert (provider["name"], provider["state"], provider["keys"]) == ("one", "unasked", 1)
    assert provider["roles"]["reasoning"] == ["fake-1"]

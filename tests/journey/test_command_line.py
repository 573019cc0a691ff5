"""The command line with a real bot behind it: in its own process, in a daemon's, and at a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from bot.cli.client import Client, search
from bot.paths import socket_candidates
from bot.storage.lock import locked
from tests.architecture.tree import ROOT
from tests.fakes.llm import LLMFake, Pace, Reply

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


@dataclass
class Machine:
    """A folder with a configuration and a data folder, and the command `nanobot` there."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def configure(self, base_url: str) -> None:
        (self.folder / "config.toml").write_text(
            f'[providers.one]\napi_base = "{base_url}"\ndefault_model = "fake-1"\napi_key = "sk-test-123"\n'
        )

    def command(self, *arguments: str) -> list[str]:
        where = ("--config", str(self.folder / "config.toml"), "--data", str(self.data))
        return [sys.executable, "-m", "bot", *where, *arguments]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "xterm"}

    async def nanobot(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command to its end: exit code, standard output, standard error."""
        process = await self.start(*arguments)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.command(*arguments),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def serves(self) -> bool:
        return search(socket_candidates(self.data, os.environ)).found is not None

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await self.start("run")
        try:
            await until(self.serves)
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


async def test_a_question_without_a_daemon(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with LLMFake(Reply("Hello **Ann**."), Reply("You are Ann.")) as llm:
        machine.configure(llm.base_url)
        first = await machine.nanobot("chat", "-m", "I am Ann")
        second = await machine.nanobot("chat", "-m", "who am I?")

    assert first == (0, "Hello **Ann**.\n", "")
    assert second == (0, "You are Ann.\n", "")
    assert [message["content"] for message in llm.requests[-1].body["messages"][1:]] == [
        "I am Ann",
        "Hello **Ann**.",
        "who am I?",
    ]


async def test_a_question_that_no_model_can_answer(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with LLMFake() as llm:
        llm.default = Reply.error(401, {"error": {"message": "no such key"}})
        machine.configure(llm.base_url)
        code, out, err = await machine.nanobot("chat", "-m", "hello")

    assert (code, out) == (1, "")
    assert "one/fake-1" in err
    assert "Traceback" not in err


async def test_a_daemon_serves_questions_status_and_resolve_and_stops_when_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with LLMFake() as llm:
        llm.default = Reply("Yes.")
        machine.configure(llm.base_url)
        async with machine.daemon() as daemon:
            answers = await asyncio.gather(*(machine.nanobot("chat", "-m", "hello") for _ in range(2)))
            status = await machine.nanobot("status")
            resolved = await machine.nanobot("resolve", "reasoning")
            began = time.monotonic()
            daemon.send_signal(signal.SIGTERM)
            _, log = await daemon.communicate()

    assert [code for code, _, _ in answers] == [0, 0]
    assert all("Yes." in out for _, out, _ in answers)
    assert status[0] == 0, status
    assert f"pid {daemon.pid}" in status[1]
    assert " free, the database has " in status[1]
    assert "sessions " in status[1]
    assert resolved[0] == 0
    assert "1. one/fake-1" in resolved[1]
    assert daemon.returncode == 0
    assert time.monotonic() - began < 10
    assert b"Traceback" not in log
    assert b"sk-test-123" not in log
    assert not machine.serves()


async def test_an_answer_that_nobody_read_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with LLMFake(Reply("From before."), Reply("From now.")) as llm:
        machine.configure(llm.base_url)
        async with machine.daemon():
            socket = search(socket_candidates(machine.data, os.environ)).found
            assert socket is not None
            async with Client(socket) as client:
                await client.say("one")
                async with asyncio.timeout(20):
                    while (await client.status())["outbox"].get("queued") != 1:
                        await asyncio.sleep(0.02)
            answer = await machine.nanobot("chat", "-m", "two")

    assert answer == (0, "From now.\n", "From before.\n")


async def test_programs_find_the_keys_that_the_page_names(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "OPERATING.md").read_text()
    rows = re.findall(r"^\| `nanobot ([a-z ]+)`(?:, of each)? \| ((?:`\w+` ?)+)\|$", page, re.MULTILINE)
    assert len(rows) == 7
    machine = Machine(tmp_path)
    async with LLMFake(Reply("Yes."), Reply("Never.", pace=Pace(hold="never"))) as llm:
        machine.configure(llm.base_url)
        async with machine.daemon():
            await machine.nanobot("chat", "-m", "hello")
            socket = search(socket_candidates(machine.data, os.environ)).found
            assert socket is not None
            async with Client(socket) as client:
                await client.say("this waits")
            for command, keys in rows:
                everything = ("--all",) if command == "outbox list" else ()
                _, out, err = await machine.nanobot(*command.split(), *everything, "--json")
                told = json.loads(out)
                found = set(told[0] if isinstance(told, list) else told)
                assert (found, err) == (set(re.findall(r"\w+", keys)), ""), command


async def test_commands_that_look_leave_alone_what_a_killed_daemon_left(tmp_path: Path) -> None:
    """Each of them would count as a restart of the message, which is given up after a few, and ask the model anew."""
    machine = Machine(tmp_path)
    async with LLMFake(Reply("Never.", pace=Pace(hold="never")), Reply("At last.")) as llm:
        machine.configure(llm.base_url)
        async with machine.daemon() as daemon:
            asking = asyncio.create_task(machine.nanobot("chat", "-m", "hello"))
            await until(lambda: llm.received == 1)
            daemon.kill()
            assert (await asking)[0] == 1
        for command in (("inbox",), ("outbox", "list"), ("sessions",), ("jobs", "list")):
            code, out, err = await machine.nanobot(*command)
            assert (code, err) == (0, ""), err
            assert command != ("inbox",) or "hello" in out
        assert llm.received == 1
        with closing(sqlite3.connect(machine.data / "nanobot.db")) as db:
            assert db.execute("SELECT state, attempts FROM inbox").fetchall() == [("queued", 0)]
        async with machine.daemon():
            await until(lambda: llm.received == 2)


async def test_status_says_when_no_model_can_answer(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with LLMFake() as llm:
        llm.default = Reply.error(401, {"error": {"message": "no such key"}})
        machine.configure(llm.base_url)
        async with machine.daemon():
            before = await machine.nanobot("status")
            await machine.nanobot("chat", "-m", "hello")
            after = await machine.nanobot("status")

    assert (before[0], "no model" in before[1]) == (0, False)
    assert after[0] == 1
    assert "! no model can answer right now" in after[1]
    assert "! one's key was refused: no such key; only you can mend that" in after[1]


async def test_a_stranger_is_let_in_without_a_daemon(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.configure("http://127.0.0.1:9/v1")
    nobody = await machine.nanobot("pair", "list")
    now = time.time()
    with closing(sqlite3.connect(machine.data / "nanobot.db")) as database:
        database.execute(
            "INSERT INTO pairing (code, channel, sender, sender_name, chat, thread, created_at, expires_at)"
            " VALUES ('ABCD2345', 'telegram', '77', 'Anna', '77', '', ?, ?)",
            (now, now + 3600),
        )
        database.commit()
    listed = await machine.nanobot("pair", "list")
    approved = await machine.nanobot("pair", "approve", "abcd2345")
    again = await machine.nanobot("pair", "approve", "ABCD2345")
    known = json.loads((await machine.nanobot("people", "--json"))[1])
    gone = await machine.nanobot("people", "unlink", "telegram", "77")
    twice = await machine.nanobot("people", "unlink", "telegram", "77")

    assert nobody[0] == listed[0] == approved[0] == 0
    assert "Nobody waits" in nobody[1]
    assert "ABCD2345  telegram  Anna (77)" in listed[1]
    assert "as the owner" in approved[1]
    assert again[0] == 1
    assert "no pairing code ABCD2345" in again[2]
    (owner,) = known
    assert (owner["name"], owner["role"]) == ("owner", "owner")
    assert [(one["channel"], one["sender"], one["from"]) for one in owner["identities"]] == [
        ("telegram", "77", "code")
    ]
    assert gone[0] == 0
    assert "a stranger from now on" in gone[1]
    assert twice[0] == 1
    assert "nobody is known as '77'" in twice[2]


async def test_a_command_waits_for_the_data_folder_and_says_who_has_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.configure("http://127.0.0.1:9/v1")
    async with locked(machine.data, print):
        waiting = await machine.start("pair", "list")
        assert waiting.stderr is not None
        async with asyncio.timeout(20):
            told = (await waiting.stderr.readline()).decode()
    out, err = await waiting.communicate()

    assert f"pid {os.getpid()}" in told
    assert (waiting.returncode, err) == (0, b"")
    assert b"Nobody waits" in out


class Screen:
    """What a pseudo-terminal's other side shows. Keys are written to it as a keyboard would."""

    def __init__(self, fd: int) -> None:
        self.text = ""
        self._fd = fd
        os.set_blocking(fd, False)

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    async def shows(self, text: str) -> None:
        await until(lambda: text in self.read())

    def read(self) -> str:
        with suppress(BlockingIOError, OSError):
            while chunk := os.read(self._fd, 65_536):
                self.text += _CODES.sub("", chunk.decode(errors="replace"))
        return self.text


async def test_a_conversation_at_a_terminal(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 100))
    before = termios.tcgetattr(theirs)
    async with LLMFake(Reply("Good **morning**."), Reply("Good bye.")) as llm:
        machine.configure(llm.base_url)
        process = await asyncio.create_subprocess_exec(
            *machine.command("chat"), env=machine.environment(), stdin=theirs, stdout=theirs, stderr=theirs
        )
        screen = Screen(ours)
        try:
            await screen.shows("one/fake-1")
            await screen.shows("❯")  # noqa: RUF001 -- the prompt
            screen.type("hello\r")
            await screen.shows("Good morning.")
            beside = await machine.nanobot("chat", "-m", "and from here")
            await screen.shows("Good bye.")
            screen.type("\x04")
            async with asyncio.timeout(30.0):
                code = await process.wait()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        after = termios.tcgetattr(theirs)
        os.close(ours)
        os.close(theirs)

    assert code == 0
    assert beside == (0, "Good bye.\n", ""), "one conversation, whoever has the data folder"
    assert after == before, "the terminal is as it was"
    assert "Traceback" not in screen.text
    history = machine.data / "chat_history"
    assert "+hello" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
    assert (machine.data / "chat.log").stat().st_mode & 0o777 == 0o600

"""A model's process, with small scripts in place of llama.cpp's server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import Misconfigured, Unreachable
from providers.llama_process import (
    PAUSES,
    STEADY,
    Endpoint,
    Limits,
    LlamaProcess,
    environment,
    parse_ready,
    pause_after,
    why_ended,
)

# Each notes that it was started, in the file that it is given.
_BEGIN = "import json, os, sys, time; open(sys.argv[1], 'a').write('started\\n')\n"
_READY = "print(json.dumps({'url': 'http://127.0.0.1:1', 'api_key': str(os.getpid())}), flush=True)\n"
_UNTIL_INPUT_ENDS = "sys.stdin.read(); open(sys.argv[1], 'a').write('left\\n')\n"

SERVES = _BEGIN + _READY + _UNTIL_INPUT_ENDS
CRASHES = _BEGIN + "sys.exit('bad.gguf: is not a GGUF model')\n"
NEVER_READY = _BEGIN + _UNTIL_INPUT_ENDS
STUBBORN = _BEGIN + _READY + "time.sleep(60)\n"
SHOUTS = _BEGIN + "sys.stderr.write('x' * 1_000_000)\n" + _READY + _UNTIL_INPUT_ENDS
WAITS_FOR_GATE = (
    _BEGIN
    + "while not os.path.exists(sys.argv[1] + '.gate'): time.sleep(0.005)\n"
    + _READY
    + _UNTIL_INPUT_ENDS
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scripts:
    """What `LlamaProcess` is given to start; `source` may be changed between starts."""

    def __init__(self, folder: Path) -> None:
        self.notes = folder / "starts"
        self.source = SERVES

    def __call__(self) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", self.source, str(self.notes)]

    @property
    def started(self) -> int:
        return self.notes.read_text().count("started") if self.notes.exists() else 0


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def starter(
    command: Callable[[], list[str]], clock: Clock | None = None, limits: Limits | None = None
) -> AsyncIterator[LlamaProcess]:
    process = LlamaProcess(command, "it", clock or Clock(), limits or Limits())
    try:
        yield process
    finally:
        await process.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30.0):
        while not condition():
            await asyncio.sleep(0.005)


async def turns(steps: int) -> None:
    """Let what is ready to run do so, that many times."""
    for _ in range(steps):
        await asyncio.sleep(0)


def gone(pid: int) -> bool:
    """Whether our child `pid` has ended and was buried."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def killed(process: LlamaProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    await until(lambda: process.pid is None)


async def test_nothing_is_started_before_it_is_wanted(scripts: Scripts) -> None:
    async with starter(scripts) as process:
        assert process.pid is None

    assert scripts.started == 0


async def test_first_calls_at_the_same_time_start_one_process(scripts: Scripts) -> None:
    async with starter(scripts) as process:
        endpoints = await asyncio.gather(*(process.start() for _ in range(5)))

        assert set(endpoints) == {Endpoint("http://127.0.0.1:1/v1", str(process.pid))}
    assert scripts.started == 1


async def test_a_process_that_died_is_started_again(scripts: Scripts) -> None:
    async with starter(scripts) as process:
        first = await process.start()
        await killed(process)

        second = await process.start()

        assert first.api_key != second.api_key == str(process.pid)


async def test_a_crash_at_start_says_why(scripts: Scripts) -> None:
    scripts.source = CRASHES
    async with starter(scripts) as process:
        with pytest.raises(Unreachable, match=r"did not start: bad\.gguf: is not a GGUF model$"):
            await process.start()


async def test_after_failures_it_is_left_alone_for_a_while(scripts: Scripts, clock: Clock) -> None:
    scripts.source = CRASHES
    async with starter(scripts, clock) as process:
        for _ in range(2):
            with pytest.raises(Unreachable):
                await process.start()
        with pytest.raises(Unreachable, match=r"is not a GGUF model; the next try is in 5 s") as rests:
            await process.start()
        assert (rests.value.retry_after, scripts.started) == (5.0, 2)

        clock.now += 5.0
        scripts.source = SERVES
        await process.start()


async def test_a_process_that_served_long_starts_the_count_anew(scripts: Scripts, clock: Clock) -> None:
    async with starter(scripts, clock) as process:
        for _ in range(5):
            await process.start()
            clock.now += STEADY
            await killed(process)

        await process.start()


async def test_a_process_that_keeps_dying_soon_is_left_alone(scripts: Scripts, clock: Clock) -> None:
    async with starter(scripts, clock) as process:
        for _ in range(2):
            await process.start()
            await killed(process)

        with pytest.raises(Unreachable, match=r"stopped: it was killed; .* short of memory"):
            await process.start()


async def test_one_that_never_gets_ready_is_ended(scripts: Scripts) -> None:
    scripts.source = NEVER_READY
    async with starter(scripts, limits=Limits(start=0.05)) as process:
        with pytest.raises(Unreachable, match="did not start within"):
            await process.start()

        assert process.pid is None


async def test_a_cancelled_call_leaves_it_loading_for_the_next(scripts: Scripts) -> None:
    scripts.source = WAITS_FOR_GATE
    async with starter(scripts) as process:
        hasty = asyncio.create_task(process.start())
        await until(lambda: process.pid is not None)
        hasty.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hasty
        Path(f"{scripts.notes}.gate").touch()

        await process.start()

    assert scripts.started == 1


@pytest.mark.parametrize("steps", range(6))
async def test_a_call_may_be_cancelled_at_any_moment(scripts: Scripts, steps: int) -> None:
    async with starter(scripts) as process:
        hasty = asyncio.create_task(process.start())
        await turns(steps)
        hasty.cancel()
        await asyncio.wait([hasty])

        assert (await process.start()).api_key == str(process.pid)


async def test_messages_that_nobody_reads_do_not_stop_it(scripts: Scripts) -> None:
    scripts.source = SHOUTS
    async with starter(scripts) as process:
        await process.start()


async def test_closing_lets_it_leave(scripts: Scripts) -> None:
    async with starter(scripts) as process:
        await process.start()
        pid = process.pid
        assert pid is not None

        await process.aclose()

        assert gone(pid)
        assert scripts.notes.read_text() == "started\nleft\n"
        await process.aclose()
        with pytest.raises(Unreachable, match="stopping"):
            await process.start()
    assert scripts.started == 1


async def test_closing_while_it_loads_ends_the_wait(scripts: Scripts) -> None:
    scripts.source = NEVER_READY
    async with starter(scripts) as process:
        waiting = asyncio.create_task(process.start())
        await until(lambda: process.pid is not None)

        await process.aclose()

        with pytest.raises(Unreachable, match="stopping"):
            await waiting


@pytest.mark.parametrize("steps", range(6))
async def test_closing_at_any_moment_of_a_start_leaves_no_process(scripts: Scripts, steps: int) -> None:
    process = LlamaProcess(scripts)
    waiting = asyncio.create_task(process.start())
    await turns(steps)

    await process.aclose()

    notes = scripts.notes.read_text() if scripts.notes.exists() else ""
    assert notes in ("", "started\nleft\n")
    with pytest.raises(Unreachable, match="stopping"):
        await waiting


async def test_one_that_stays_is_killed(scripts: Scripts) -> None:
    scripts.source = STUBBORN
    async with starter(scripts, limits=Limits(close=0.05)) as process:
        await process.start()
        pid = process.pid
        assert pid is not None

        await process.aclose()

        assert gone(pid)


async def test_a_command_that_is_not_there_is_unreachable() -> None:
    async with starter(lambda: ["/no/such/python"]) as process:
        with pytest.raises(Unreachable, match="can't be started: No such file"):
            await process.start()


async def test_what_is_not_installed_can_come_later(scripts: Scripts) -> None:
    installed = False

    def command() -> list[str]:
        if not installed:
            raise Misconfigured("run: nanobot local install")
        return scripts()

    async with starter(command) as process:
        with pytest.raises(Misconfigured):
            await process.start()
        installed = True

        await process.start()


# The parent must be a process of its own here, since it is killed.
_PARENT = """
import asyncio, sys
from providers.llama_process import LlamaProcess

async def main():
    await LlamaProcess(lambda: sys.argv[1:]).start()
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
# Its listening socket shows to anybody whether it lives, also where nobody buries it.
_LISTENS = (
    "import socket; listening = socket.create_server(('127.0.0.1', 0))\n"
    "open(sys.argv[1] + '.port', 'w').write(str(listening.getsockname()[1]))\n"
)


def listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


async def test_it_leaves_within_a_second_when_its_parent_is_killed(scripts: Scripts) -> None:
    scripts.source = _BEGIN + _LISTENS + _READY + _UNTIL_INPUT_ENDS
    root = Path(__file__).parents[3]
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PARENT,
        *scripts(),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(root)},
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"started\n"
    port = int(Path(f"{scripts.notes}.port").read_text())
    assert listens(port)

    parent.kill()
    await parent.wait()

    async with asyncio.timeout(1):
        while listens(port):
            await asyncio.sleep(0.01)


def test_pauses_grow_and_end_growing() -> None:
    pauses = [pause_after(failures) for failures in range(20)]

    assert pauses[:2] == [0.0, 0.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == PAUSES[-1]


@pytest.mark.parametrize(
    ("code", "errors", "said"),
    [
        (1, "loading\nno such file\n\n", "no such file"),
        (1, "0.00.005.354 E srv          init: exiting due to an error\n", "exiting due to an error"),
        (1, "0.00.005.119 E llama_model_load: failed\n", "llama_model_load: failed"),
        (3, "", "it left with exit code 3"),
        (-signal.SIGKILL, "irrelevant", "it was killed; the machine may be short of memory"),
        (-signal.SIGILL, "", "this processor lacks instructions that llama.cpp needs"),
        (-signal.SIGSEGV, "", "it got the signal SIGSEGV"),
    ],
)
def test_why_it_ended_is_one_line(code: int, errors: str, said: str) -> None:
    assert why_ended(code, errors) == said


def test_the_line_that_says_where_it_listens() -> None:
    line = json.dumps({"url": "http://127.0.0.1:4711", "api_key": "secret"}).encode()

    assert parse_ready(line) == Endpoint("http://127.0.0.1:4711/v1", "secret")
    assert "secret" not in repr(parse_ready(line))


@given(
    st.binary(max_size=60)
    | st.sampled_from([b"", b"{}", b"[]", b'{"url": 1, "api_key": "k"}', b'{"url": "u"}'])
)
def test_any_other_line_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"^no address: "):
        parse_ready(line)


def test_the_server_gets_none_of_our_secrets() -> None:
    ours = {"PATH": "/bin", "HOME": "/root", "OPENAI_API_KEY": "secret", "NOTIFY_SOCKET": "/run/notify"}

    assert environment(ours) == {"PATH": "/bin", "HOME": "/root"}

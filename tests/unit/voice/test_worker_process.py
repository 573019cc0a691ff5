"""The worker's life: started by an order, idle for a while, ended by time, and with us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.voice.errors import VoiceError
from bot.voice.process import Worker, environment, run, worker_command
from tests.unit.voice.conftest import WORKER

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker(lambda: (sys.executable, str(WORKER)), idle=0.05)
    yield worker
    await worker.aclose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "voice.ogg"
    path.write_text("OggS hello")
    return path


def length(path: Path) -> dict[str, object]:
    return {"do": "length", "path": str(path)}


def hear(path: Path) -> dict[str, object]:
    return {"do": "hear", "path": str(path), "start": 0, "most": 300, "language": None}


def running(worker: Worker) -> list[int]:
    return [] if worker.pid is None else [worker.pid]


async def gone(pid: int) -> None:
    async with asyncio.timeout(30.0):
        while alive(pid):
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


async def test_it_runs_only_while_there_is_something_to_do(worker: Worker, path: Path) -> None:
    assert running(worker) == []

    assert await worker.ask(length(path), 10) == {"seconds": 1}

    (pid,) = running(worker)
    await gone(pid)
    assert running(worker) == []
    assert await worker.ask(length(path), 10) == {"seconds": 1}


async def test_a_time_out_kills_it(worker: Worker, path: Path) -> None:
    path.write_text("OggS hang")
    await worker.ask(length(path), 10)
    pid = worker.pid
    assert pid is not None

    with pytest.raises(VoiceError, match="did not do it within"):
        await worker.ask(hear(path), 0.05)

    assert not alive(pid)


async def test_orders_wait_for_each_other(worker: Worker, path: Path) -> None:
    answers = await asyncio.gather(*(worker.ask(hear(path), 10) for _ in range(5)))

    assert [answer["text"] for answer in answers] == ["hello"] * 5


async def test_none_is_started_after_the_end(worker: Worker, path: Path) -> None:
    await worker.aclose()

    with pytest.raises(VoiceError, match="stopping"):
        await worker.ask(length(path), 10)


async def test_a_worker_that_can_not_start_is_told_of(path: Path) -> None:
    worker = Worker(lambda: ("/nowhere/python",))

    with pytest.raises(VoiceError, match="can't be started: No such file"):
        await worker.ask(length(path), 10)


def test_it_gets_no_keys() -> None:
    given = environment(
        {"OPENAI_API_KEY": "x", "PATH": "/bin", "https_proxy": "http://p", "TELEGRAM_TOKEN": "y"}
    )

    assert given.keys() & {"OPENAI_API_KEY", "TELEGRAM_TOKEN"} == set()
    assert (given["PATH"], given["https_proxy"]) == ("/bin", "http://p")


async def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(VoiceError, match="sleep did not end within"):
        await run(("sleep", "60"), "", 0.05)


async def test_what_a_program_says_of_its_failure_is_told() -> None:
    with pytest.raises(VoiceError, match=r"^sh: no such voice$"):
        await run(("sh", "-c", "echo no such voice >&2; exit 2"), "", 10)


# The real worker, which needs no library to be told off


@contextmanager
def started() -> Iterator[subprocess.Popen[bytes]]:
    command = worker_command(None)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_the_real_one_answers_what_it_can_not_do_and_leaves_with_its_input() -> None:
    with started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"do": "sing"}\nno json\n')
        process.stdin.flush()
        said = [process.stdout.readline() for _ in range(2)]
        process.stdin.close()

        assert all(b'"error"' in line for line in said)
        assert process.wait(10) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Killed, so that nothing of the parent's can see to it; a pipe that a third one holds keeps its input open."""
    code = (
        "import subprocess, sys, time\n"
        "from bot.voice.process import worker_command\n"
        "reading, writing = __import__('os').pipe()\n"
        "keeper = subprocess.Popen(['sleep', '30'], pass_fds=[writing])\n"
        "child = subprocess.Popen(worker_command(None), stdin=reading)\n"
        "time.sleep(0.3)\n"
        "print(child.pid, keeper.pid, flush=True)\n"
        "time.sleep(30)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    child, keeper = map(int, parent.stdout.readline().split())
    try:
        assert alive(child)
        parent.kill()
        parent.wait()
        until = time.monotonic() + 5
        while alive(child) and time.monotonic() < until:
            time.sleep(0.01)
        assert not alive(child)
    finally:
        os.kill(keeper, signal.SIGKILL)
        parent.stdout.close()

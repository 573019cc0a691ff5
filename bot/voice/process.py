"""Programs that work on sound, and the worker among them: each in a process of its own, with a time limit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.voice.errors import Unreadable, VoiceError
from bot.voice.models import EXTRA
from providers.llama_process import why_ended

IDLE_SECONDS = 300.0
"""After the last order; then the worker's memory is given back."""
NICE = 10
"""How far it stands back behind the daemon, which has people to answer."""
LINE = 2**20
"""Bytes that an answer may have."""
_PASSED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")
_TO_FETCH = ("HF_ENDPOINT", "HF_HOME", "HF_TOKEN", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class Worker:
    """The worker process: started by the first order, ended when it was idle for a while, by a time-out, and with us.

    `command` is asked at each start. One order at a time. For one event loop.
    """

    def __init__(self, command: Callable[[], Sequence[str]], idle: float = IDLE_SECONDS) -> None:
        self._command = command
        self._idle = idle
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._started_by: tuple[str, ...] = ()
        self._leaving: list[asyncio.subprocess.Process] = []
        self._rest: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process that runs now, if one does."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def ask(self, order: Mapping[str, object], seconds: float) -> dict[str, Any]:
        """What the worker answers. One that dies is started once more.

        Raises `Unreadable` where the file is at fault, else `VoiceError`.
        """
        async with self._turn:
            if self._rest is not None:
                self._rest.cancel()
            answer = await self._answer(order, seconds)
            self._rest = asyncio.get_running_loop().call_later(self._idle, self._retire)
        match answer:
            case {"error": str(text), "kind": "unreadable"}:
                raise Unreadable(text)
            case {"error": str(text), "kind": "missing"}:
                raise VoiceError(f"what hears on this machine is not all there ({text}); run: {EXTRA}")
            case {"error": str(text)}:
                raise VoiceError(f"this machine failed at it: {text}")
        return answer

    async def aclose(self) -> None:
        """End it, whatever it does. It can't be started again."""
        self._closed = True
        if self._rest is not None:
            self._rest.cancel()
        if self._process is not None:
            await _killed(self._process)
        for process in self._leaving:
            await _killed(process)

    async def _answer(self, order: Mapping[str, object], seconds: float) -> dict[str, Any]:
        why = ""
        for _ in range(2):
            process = await self._running()
            answered = False
            try:
                async with asyncio.timeout(seconds):
                    line = await _exchanged(process, json.dumps(order).encode() + b"\n")
                answered = bool(line)
                if not answered:
                    await _left(process)
            except TimeoutError:
                raise VoiceError(f"this machine did not do it within {seconds:.0f} s") from None
            finally:
                if not answered:
                    await self._drop(process)
            if answered:
                answer: dict[str, Any] = json.loads(line)
                return answer
            why = why_ended(process.returncode or 0, "")
        raise VoiceError(f"the process that hears has died twice: {why}")

    async def _running(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise VoiceError("the assistant is stopping")
        command = tuple(self._command())
        process = self._process
        if process is not None and process.returncode is None and command == self._started_by:
            return process
        if process is not None:
            await self._drop(process)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=LINE,
                env=environment(os.environ),
                start_new_session=True,  # Ctrl-C in our terminal doesn't reach it
            )
        except OSError as error:
            raise VoiceError(f"the process that hears can't be started: {error.strerror}") from error
        self._process, self._started_by = process, command
        return process

    async def _drop(self, process: asyncio.subprocess.Process) -> None:
        self._process = None
        await _killed(process)

    def _retire(self) -> None:
        """Let it go; it ends by itself when its input does."""
        process, self._process = self._process, None
        self._leaving = [one for one in self._leaving if one.returncode is None]
        if process is not None and process.stdin is not None:
            process.stdin.close()
            self._leaving.append(process)


def worker_command(model: Path | None) -> tuple[str, ...]:
    """What starts the worker; see its own options."""
    # By its path, as `-m` would look in the working folder first; -P keeps our modules from shadowing Python's.
    file = Path(__file__).with_name("worker.py")
    hearing = () if model is None else ("--model", str(model))
    return (sys.executable, "-P", str(file), "--nice", str(NICE), *hearing)


async def run(command: Sequence[str], said: str, seconds: float) -> bytes:
    """What a program prints that is given this text. Raises `VoiceError`."""
    name = Path(command[0]).name
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(os.environ),
            start_new_session=True,
        )
    except OSError as error:
        raise VoiceError(f"{name} can't be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(seconds):
            out, errors = await process.communicate(said.encode("utf-8", "replace"))
    except TimeoutError:
        raise VoiceError(f"{name} did not end within {seconds:.0f} s") from None
    finally:
        await _killed(process)
    if process.returncode:
        raise VoiceError(f"{name}: {why_ended(process.returncode, errors.decode(errors='replace'))[:200]}")
    return out


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The variables that they get: none has a use for our keys."""
    passed = (*_PASSED_ON, *_TO_FETCH, *(name.lower() for name in _TO_FETCH))
    return {**{name: ours[name] for name in passed if name in ours}, **_QUIET}


async def _exchanged(process: asyncio.subprocess.Process, order: bytes) -> bytes:
    """The line that comes for an order; b"" where the process died."""
    assert process.stdin is not None  # noqa: S101 -- pipes were asked for
    assert process.stdout is not None  # noqa: S101 -- as above
    try:
        process.stdin.write(order)
        await process.stdin.drain()
        line = await process.stdout.readline()
    except (BrokenPipeError, ConnectionResetError):
        return b""
    except ValueError:
        raise VoiceError("what was heard is longer than any speech") from None
    return line if line.endswith(b"\n") else b""


async def _left(process: asyncio.subprocess.Process) -> None:
    """Let one that closed its end go by itself: killing it now would hide why it died."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await process.wait()


async def _killed(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()

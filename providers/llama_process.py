"""A process that serves a model with llama.cpp: started when first wanted, and again when it has died.

It ends when its standard input does: with us, however we end. Nothing watches it in between; whoever wants an answer
asks for the process first, and that looks whether it is still there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from providers.errors import Unreachable

log = logging.getLogger(__name__)

STEADY = 60.0
"""Seconds after which a process that dies doesn't count with the failures before it."""
PAUSES = (0.0, 0.0, 5.0, 30.0, 120.0)
"""Seconds before the next start after that many failures in a row; the first may have been chance."""

_STOPPING = "the assistant is stopping"
_LAST_WORDS = 4096
_PASSED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")
"""Variables that the server gets: it has no use for our keys."""
_LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] +(\w+ +\w+: )?")
"""What llama.cpp puts before each line: time, level, component."""
_SIGNALS = {
    signal.SIGKILL: "it was killed; the machine may be short of memory",
    signal.SIGILL: "this processor lacks instructions that llama.cpp needs",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for coming up (half a second where a small file is in memory; an SD card reads 98 MB in ten) and for
    leaving by itself.
    """

    start: float = 60.0
    close: float = 2.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server listens and what it wants to see; both are new at each start."""

    base_url: str
    api_key: str = field(repr=False)


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process
    output: asyncio.StreamReader
    errors: IO[bytes]
    ready_by: float
    endpoint: Endpoint | None = None
    ready_at: float = 0.0

    @property
    def gone(self) -> bool:
        return self.process.returncode is not None or self.output.at_eof()


class LlamaProcess:
    """At most one process at a time. `command` is asked at each start, `clock` is monotonic. `title` is what a person
    calls the model.
    """

    def __init__(
        self,
        command: Callable[[], Sequence[str]],
        title: str = "the model",
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = Limits(),
    ) -> None:
        self._command = command
        self._title = title
        self._clock = clock
        self._limits = limits
        self._starting = asyncio.Lock()
        self._child: _Child | None = None
        self._failures = 0
        self._not_before = 0.0
        self._why = ""
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process that runs now, if one does."""
        return None if self._child is None or self._child.gone else self._child.process.pid

    async def start(self) -> Endpoint:
        """Where it listens, as soon as it does. Calls at the same time start one process; a call that is cancelled
        leaves it loading for the next.

        Raises `Unreachable` (it failed, or rests after failures) or `Misconfigured` (it isn't installed).
        """
        async with self._starting:
            if self._child is not None and self._child.gone:
                await self._note_death(self._child)
            child = self._child or await self._spawn()
            if not self._closed:
                endpoint = child.endpoint or await self._ready(child)
                if not self._closed:
                    return endpoint
            await self._end(child)
            raise Unreachable(_STOPPING)

    async def aclose(self) -> None:
        """End the process: by closing its input, after a while by force. It can't be started again."""
        self._closed = True
        if self._child is not None:
            await self._end(self._child)
        # A start that was under way sees its process out itself.
        async with self._starting:
            pass

    async def _spawn(self) -> _Child:
        wait = self._not_before - self._clock()
        if wait > 0:
            raise Unreachable(f"{self._why}; the next try is in {wait:.0f} s", retry_after=wait)
        if self._closed:
            raise Unreachable(_STOPPING)
        argv = self._command()
        with contextlib.ExitStack() as unless_started:
            try:
                # A file takes whatever is written; a pipe that nobody reads would stop the writer once it is full.
                errors = unless_started.enter_context(tempfile.TemporaryFile())
                # A session of its own, which Ctrl-C in our terminal doesn't reach.
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=errors,
                    env=environment(os.environ),
                    start_new_session=True,
                )
            except OSError as error:
                raise self._failed(f"{self._title} can't be started: {error.strerror}") from error
            unless_started.pop_all()
        output = process.stdout
        assert output is not None  # noqa: S101 -- a pipe was asked for
        ready_by = asyncio.get_running_loop().time() + self._limits.start
        self._child = _Child(process, output, errors, ready_by)
        return self._child

    async def _ready(self, child: _Child) -> Endpoint:
        """Wait for the line that says where it listens."""
        try:
            async with asyncio.timeout_at(child.ready_by):
                child.endpoint = parse_ready(await child.output.readline())
        except TimeoutError:
            await self._end(child)
            raise self._failed(f"{self._title} did not start within {self._limits.start:.0f} s") from None
        except ValueError:
            raise await self._note_death(child) from None
        child.ready_at = self._clock()
        log.info("%s runs as process %d", self._title, child.process.pid)
        return child.endpoint

    async def _note_death(self, child: _Child) -> Unreachable:
        """Bury it, keep why it died, and leave it alone for a while."""
        reason = await self._end(child)
        if self._closed:
            return Unreachable(_STOPPING)
        if child.endpoint is None:
            return self._failed(f"{self._title} did not start: {reason}")
        if self._clock() - child.ready_at >= STEADY:
            self._failures = 0
        return self._failed(f"{self._title} stopped: {reason}")

    def _failed(self, why: str) -> Unreachable:
        self._failures += 1
        self._not_before = self._clock() + pause_after(self._failures)
        self._why = why
        log.warning("%s", why)
        return Unreachable(why)

    async def _end(self, child: _Child) -> str:
        """See the process out. Why it ended."""
        if self._child is child:
            self._child = None
        process, stdin = child.process, child.process.stdin
        assert stdin is not None  # noqa: S101 -- a pipe was asked for
        stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.close):
                    await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            errors = _last_words(child.errors)
        return why_ended(await process.wait(), errors)


def parse_ready(line: bytes) -> Endpoint:
    """The line that the server prints once it listens. ValueError for anything else, such as none."""
    said = None
    with contextlib.suppress(ValueError):
        said = json.loads(line)
    match said:
        case {"url": str(url), "api_key": str(key)}:
            return Endpoint(f"{url}/v1", key)
    raise ValueError(f"no address: {line!r}")


def pause_after(failures: int) -> float:
    """Seconds to leave it alone after so many failures in a row."""
    return PAUSES[min(failures, len(PAUSES) - 1)]


def why_ended(code: int, errors: str) -> str:
    """One line for a person, from an exit code as `asyncio` gives it (negative: a signal) and what it wrote."""
    if code < 0:
        return _SIGNALS.get(signal.Signals(-code), f"it got the signal {signal.Signals(-code).name}")
    lines = [line for line in errors.splitlines() if line.strip()]
    return _LOG_PREFIX.sub("", lines[-1]).strip() if lines else f"it left with exit code {code}"


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The variables that the server gets."""
    return {name: ours[name] for name in _PASSED_ON if name in ours}


def _last_words(errors: IO[bytes]) -> str:
    """The end of what was written. The file is closed, so that a second call finds nothing."""
    if errors.closed:
        return ""
    with errors:
        # Read without moving: the position is shared with the writer.
        size = os.fstat(errors.fileno()).st_size
        words = os.pread(errors.fileno(), _LAST_WORDS, max(0, size - _LAST_WORDS))
    return words.decode(errors="replace")

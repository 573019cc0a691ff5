"""`nanobot import`: an older program's configuration, files, jobs and conversations, taken over."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bot import paths
from bot.cli.client import search
from bot.cli.import_report import Report
from bot.cli.options import Options
from bot.config.edit import set_values
from bot.errors import BotError
from bot.legacy import check, detect, files, python, rust, source, transcripts
from bot.legacy.files import Copy
from bot.legacy.jobs import Errand, errands
from bot.legacy.made import Around, Format, Made
from bot.legacy.notes import Fate, Note
from bot.legacy.places import Places
from bot.legacy.source import NotReadable
from bot.legacy.transcripts import Talk
from bot.storage.database import Database
from bot.storage.imports import Stored, store
from bot.storage.lock import locked

_HEADER = """\
nanobot's configuration, made by `nanobot import` from {file}.
`nanobot check` names every mistake with its line; config.example.toml explains every setting.
It may hold secrets: keep it to yourself (chmod 600)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """`force`: replace a configuration that is there already; it is kept beside the new one."""

    file: Path
    dry_run: bool = False
    force: bool = False


async def take_over(options: Options, wish: Wish) -> Report:
    """Raises BotError where the configuration was not taken over; the old files are only read."""
    try:
        return await _taken_over(options, wish)
    except OSError as error:
        raise BotError(f"{error.filename or wish.file}: {error.strerror or error}") from error


async def _taken_over(options: Options, wish: Wish) -> Report:
    wish = replace(wish, file=paths.expand(wish.file, options.env).absolute())
    found = source.read(wish.file)
    made = _converted(found, options)
    check.settle(made, found, options.env)
    target = options.config_file
    old = _Old(wish.file, made, options)
    copies, left = files.plan(old.workspace, made.owner) if old.workspace else ([], [])
    workspace = paths.workspace_folder(None, options.data_folder, options.env)
    report = Report(wish.file, made.format, target, workspace, wish.dry_run, [*made.notes, *left])
    if old.workspace and _overlap(old.workspace, workspace):
        copies = []
        report.notes.append(Note(Fate.KEPT, str(old.workspace), "", "is this program's workspace, too"))
    talks, jobs = old.talks(report.notes), old.errands(report.notes)
    places = Places(made, report.notes)
    past, waiting = places.talks(talks), places.reminders(jobs, time.time())
    _say_of_memory(copies, report)
    if target.exists() and not wish.force:
        refusal = (
            f"{target} is there already; `nanobot import --force` replaces it and keeps it beside the new one"
        )
        if not wish.dry_run:
            raise BotError(refusal)
        report.notes.append(Note(Fate.TODO, "", "", refusal))
    if wish.dry_run:
        report.copied = files.would(copies, workspace)
        messages = sum(len(turn) for talk in past for turn in talk.turns)
        report.stored = Stored(len(past), messages, 0, len(waiting))
    else:
        await _write(options, report, copies, partial(store, talks=past, reminders=waiting, now=time.time()))
        report.before = _put(target, made, wish.file, options)
    report.notes += report.copied.notes
    return report


def _converted(found: source.Source, options: Options) -> Made:
    kind = detect.format_of(found)
    if kind is None:
        raise NotReadable(
            f"{found.file}: is no configuration of either older nanobot; nothing in it is known"
        )
    around = Around(_approved(found.file.parent / "pairing.json"), options.env)
    return rust.convert(found, around) if kind is Format.RUST else python.convert(found, around)


def _approved(file: Path) -> dict[str, list[str]]:
    """Whom pairing let in, by channel."""
    data = _json(file)
    table = data.get("approved") if isinstance(data, dict) else None
    if not isinstance(table, dict):
        return {}
    return {
        str(kind): [str(one) for one in ids if isinstance(one, str | int)]
        for kind, ids in table.items()
        if isinstance(ids, list)
    }


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


class _Old:
    """What lies around the old file."""

    def __init__(self, file: Path, made: Made, options: Options) -> None:
        self._home = file.parent
        named = paths.expand(made.workspace, options.env) if made.workspace else self._home / "workspace"
        places = (self._home / named, self._home / "workspace")
        self.workspace = next((place.resolve() for place in places if place.is_dir()), None)

    def talks(self, notes: list[Note]) -> list[Talk]:
        found: dict[str, Talk] = {}
        for folder in self._folders("sessions"):
            for file in sorted(folder.rglob("*.jsonl")):
                talk = self._talk(file)
                if talk is None:
                    notes.append(Note(Fate.DROPPED, str(file), "", "holds no conversation that can be read"))
                elif talk.key not in found or transcripts.messages(talk.turns) > transcripts.messages(
                    found[talk.key].turns
                ):
                    found[talk.key] = talk
            notes += map(_unreadable, sorted(folder.rglob("*.db")))
        notes += map(_unreadable, sorted(self._home.glob("*.db")))
        return list(found.values())

    def errands(self, notes: list[Note]) -> list[Errand]:
        found: list[Errand] = []
        for folder in self._folders("cron"):
            file = folder / "jobs.json"
            if file.is_file():
                more, said = errands(_json(file), time.time())
                found += [one for one in more if one not in found]
                notes += said
        return found

    def _folders(self, name: str) -> Iterator[Path]:
        candidates = [self._home / name, *([self.workspace / name] if self.workspace else [])]
        yield from dict.fromkeys(folder.resolve() for folder in candidates if folder.is_dir())

    def _talk(self, file: Path) -> Talk | None:
        try:
            with file.open(encoding="utf-8", errors="replace") as lines:
                return transcripts.talk(lines, file.stem, file.stat().st_mtime)
        except OSError:
            return None


def _unreadable(file: Path) -> Note:
    return Note(Fate.DROPPED, str(file), "", "conversations in this form can't be read")


def _overlap(one: Path, other: Path) -> bool:
    other = other.resolve()
    return one == other or one in other.parents or other in one.parents


def _say_of_memory(copies: Sequence[Copy], report: Report) -> None:
    memory = next((one for one in copies if one.to.name == "MEMORY.md" and one.to.parts[0] == "memory"), None)
    if memory is not None:
        text = (
            "read it once: the old program noted what it found anywhere, and here it counts as your own words"
        )
        report.notes.append(Note(Fate.TODO, str(memory.source), str(report.workspace / memory.to), text))


async def _write(options: Options, report: Report, copies: list[Copy], into: Any) -> None:
    if search(options.sockets).found is not None:
        raise BotError("nanobot is running; stop it, import, and start it again")
    data = options.data_folder

    def busy(line: str) -> None:
        raise BotError(f"{line.partition(';')[0]}; stop it, import, and start it again")

    async with locked(data, busy):
        report.copied = files.copy(copies, report.workspace)
        database = await Database.open(data / "nanobot.db")
        try:
            report.stored = await database.write(partial(into, untrusted=report.copied.untrusted))
        finally:
            await database.aclose()


def _put(target: Path, made: Made, file: Path, options: Options) -> Path | None:
    """Write the configuration; returns where the one before is kept."""
    new = target.with_name(f".{target.name}.import")
    new.unlink(missing_ok=True)
    env = check.environment(made, options.env)
    try:
        set_values(new, made.values, {(): _HEADER.format(file=file), **made.comments}, env)
        before = _kept(target) if target.exists() else None
        new.replace(target)
    except OSError as error:
        raise BotError(f"{target}: can't be written: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)
    return before


def _kept(target: Path) -> Path:
    number = 1
    while (beside := target.with_name(f"{target.name}.before-{number}")).exists():
        number += 1
    beside.touch(mode=0o600)
    beside.write_bytes(target.read_bytes())
    return beside

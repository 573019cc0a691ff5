"""Which of the old files are copied, and where to. Looking and copying; nothing is moved, nothing overwritten."""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bot.legacy.notes import Fate, Note
from bot.memory.keeper import folder_name

LARGEST = 100_000_000
MOST = 20_000
_NOT = {"sessions", "cron", ".nanobot", ".git", "node_modules", "__pycache__"}
"""Top folders of the old workspace that hold no files of its owner's."""
_IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Copy:
    """A file to copy to a path below the new workspace. `own`: written by its owner or the old program, not fetched."""

    source: Path
    to: PurePosixPath
    own: bool


def plan(workspace: Path, owner: str) -> tuple[list[Copy], list[Note]]:
    """What is to be copied of an old workspace, and a note for what isn't."""
    copies: list[Copy] = []
    notes: list[Note] = []
    for number, file in enumerate(_files(workspace, notes)):
        if number >= MOST:
            notes.append(
                Note(Fate.TODO, str(workspace), "", f"only {MOST:,} of its files are copied; copy the others")
            )
            break
        path = PurePosixPath(file.relative_to(workspace).as_posix())
        copies.append(Copy(file, _placed(path, owner), _is_own(path)))
    return copies, notes


def _files(workspace: Path, notes: list[Note]) -> Iterator[Path]:
    for folder, below, names in os.walk(workspace):
        here = Path(folder)
        if here == workspace:
            below[:] = [name for name in below if name not in _NOT]
        below.sort()
        for name in sorted(names):
            file = here / name
            about = file.lstat()
            if not stat.S_ISREG(about.st_mode):
                notes.append(Note(Fate.DROPPED, str(file), "", "is a link or no ordinary file"))
            elif about.st_size > LARGEST:
                notes.append(
                    Note(Fate.TODO, str(file), "", "is larger than 100 MB: copy it yourself if you need it")
                )
            else:
                yield file


def _placed(path: PurePosixPath, owner: str) -> PurePosixPath:
    memory = PurePosixPath("memory", folder_name(owner))
    match path.parts:
        case ("SOUL.md",):
            return PurePosixPath("PERSONA.md")
        case ("memory", "MEMORY.md"):
            return memory / "MEMORY.md"
        case ("memory", *rest):
            return memory.joinpath(_IMPORTED, *rest)
        case ("agents" | "inbox", *_):
            # Profiles of workers are written in another way here, and one that can't be read would stop the start.
            return PurePosixPath(_IMPORTED) / path
        case _:
            return path


def _is_own(path: PurePosixPath) -> bool:
    return path.parts[0] in {"memory", "skills"} or (len(path.parts) == 1 and path.suffix == ".md")


@dataclass(frozen=True, slots=True)
class Copied:
    """What came of it. `untrusted` are paths below the workspace."""

    done: int
    there: int
    untrusted: tuple[str, ...]
    notes: tuple[Note, ...]


def would(copies: list[Copy], workspace: Path) -> Copied:
    """What `copy` would do, without doing it."""
    return _each(copies, workspace, write=False)


def copy(copies: list[Copy], workspace: Path) -> Copied:
    """Copy what isn't there yet. A file that is there stays as it is."""
    workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _each(copies, workspace, write=True)


def _each(copies: list[Copy], workspace: Path, *, write: bool) -> Copied:
    done = there = 0
    untrusted: list[str] = []
    notes: list[Note] = []
    for one in copies:
        target = workspace / one.to
        try:
            if os.path.lexists(target):
                there += 1
                if filecmp.cmp(one.source, target, shallow=False):
                    # Copied by an import that may have ended before it could say so.
                    untrusted += [] if one.own else [str(one.to)]
                else:
                    text = "is there already with something else in it, and stays"
                    notes.append(Note(Fate.TODO, str(one.source), str(target), text))
                continue
            if write:
                _put(one.source, target)
        except OSError as error:
            notes.append(Note(Fate.TODO, str(one.source), str(target), f"can't be copied: {error.strerror}"))
            continue
        done += 1
        if not one.own:
            untrusted.append(str(one.to))
        if one.source.name != one.to.name or one.to.parts[0] == _IMPORTED:
            notes.append(Note(Fate.CHANGED, str(one.source), str(target), ""))
    return Copied(done, there, tuple(untrusted), tuple(notes))


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as out, source.open("rb") as file:
        shutil.copyfileobj(file, out)
    about = source.stat()
    os.utime(target, (about.st_atime, about.st_mtime))

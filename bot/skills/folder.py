"""One skill as it lies on disk: `workspace/skills/<name>/SKILL.md` and the files beside it.

The format is that of https://agentskills.io/specification; what other programs put beside its fields is passed over.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bot.config.report import found
from bot.config.validate import validate
from bot.frontmatter import Malformed, Sheet, parse

SHEET = "SKILL.md"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 64
_MOST_FILES = 500
_MOST_BYTES = 20_000_000
_MOST_DEPTH = 8
_TICK = 1_000_000_000
_PROGRAM = re.compile(r"[a-z][a-z0-9._+-]*")

Stamp = tuple[tuple[str, int, int, int, int, int], ...]
"""By which a changed folder is noticed without reading it. The time of a file's last change of any kind (ctime) can't
be set back.
"""


class Unusable(ValueError):
    """Says in one line, with file and line where there are such, why a folder is no skill."""


@dataclass(frozen=True, slots=True)
class Skill:
    """What a folder holds. `digest` stands for all of its content, `files` for each file's, by its path below the
    folder. `missing` are programs that it needs and this machine lacks; `problem` says why it can't be used.
    """

    name: str
    description: str = ""
    compatibility: str = ""
    body: str = ""
    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    problem: str = ""


class Fields(BaseModel):
    """The format's fields that count here."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    name: str
    description: str = Field(min_length=1, max_length=1024)
    compatibility: str = Field(default="", max_length=500)
    metadata: dict[str, Any] = {}


def stamp(folder: Path) -> Stamp:
    """What tells whether anything in the folder has changed. Raises OSError, Unusable."""
    return tuple(
        (name, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_mode)
        for name, about in _walk(folder)
    )


def settled(found: Stamp, now: int) -> bool:
    """Whether a later change is sure to be seen: a file system's clock ticks, and within one tick nothing tells two
    changes apart. `now` in nanoseconds.
    """
    return all(changed < now - _TICK for _, _, _, _, changed, _ in found)


def load(folder: Path, which: Callable[[str], str | None]) -> Skill:
    """Read a folder whole. `which` finds a program by its name, as `shutil.which` does. Never raises: what is wrong
    is the skill's `problem`.
    """
    name = folder.name
    try:
        files = {file: _digest(folder / file) for file, _ in _walk(folder)}
        sheet = _sheet(folder, files)
        fields = _checked(name, sheet)
    except OSError as error:
        return Skill(name, problem=f"skills/{name} can't be read: {error.strerror}")
    except Unusable as error:
        return Skill(name, problem=f"skills/{name}: {error}")
    whole = hashlib.sha256()
    for file, digest in sorted(files.items()):
        whole.update(os.fsencode(file) + b"\0" + digest.encode() + b"\0")
    return Skill(
        name,
        " ".join(fields.description.split()),
        " ".join(fields.compatibility.split()),
        sheet.body,
        whole.hexdigest(),
        files,
        tuple(_missing(fields, which)),
    )


def read(folder: Path, file: str, files: Mapping[str, str]) -> bytes:
    """One file's content as it was when its digest was taken. Raises OSError, Unusable."""
    with _opened(folder / file) as fd:
        data = fd.read(_MOST_BYTES + 1)
    if hashlib.sha256(data).hexdigest() != files[file].partition(" ")[0]:
        raise Unusable(f"{file} was changed just now; try again")
    return data


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file by its path below the folder, sorted; hidden ones are no part of a skill. Raises OSError, Unusable."""
    count = size = 0
    todo = [("", 0)]
    while todo:
        at, depth = todo.pop()
        for entry in sorted(os.scandir(folder / at), key=lambda one: one.name, reverse=True):
            if entry.name.startswith("."):
                continue
            below = f"{at}{entry.name}"
            about = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(about.st_mode) and depth < _MOST_DEPTH:
                todo.append((f"{below}/", depth + 1))
            elif stat.S_ISREG(about.st_mode):
                count, size = count + 1, size + about.st_size
                yield below, about
            else:
                raise Unusable(
                    f"{below} is no ordinary file or lies too deep; links have no place in a skill"
                )
            if count > _MOST_FILES or size > _MOST_BYTES:
                raise Unusable(f"holds more than {_MOST_FILES} files or {_MOST_BYTES // 1_000_000} MB")


def _digest(file: Path) -> str:
    """Of the content, and whether the file may be executed."""
    with _opened(file) as fd:
        return f"{hashlib.file_digest(fd, 'sha256').hexdigest()} {os.fstat(fd.fileno()).st_mode & 0o111:o}"


def _opened(file: Path) -> BufferedReader:
    """The file itself, never what a link leads to; a pipe that has taken its place is not waited for."""
    return os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _sheet(folder: Path, files: Mapping[str, str]) -> Sheet:
    if SHEET not in files:
        raise Unusable(f"holds no {SHEET}")
    try:
        return parse(read(folder, SHEET, files).decode())
    except UnicodeDecodeError:
        raise Unusable(f"{SHEET} is not UTF-8") from None
    except Malformed as error:
        raise Unusable(f"{SHEET}:{error.line}: {error}") from None


def _checked(name: str, sheet: Sheet) -> Fields:
    fields, findings = validate(Fields, dict(sheet.fields), ())
    if fields is None:
        first = findings[0]
        key = str(first.loc[0]) if first.loc else "front matter"
        raise Unusable(f"{SHEET}:{sheet.line(key)}: {key}: {first.text}")
    if not NAME.fullmatch(fields.name) or len(fields.name) > _LONGEST_NAME:
        wanted = f"at most {_LONGEST_NAME} small letters, digits and single hyphens"
        raise Unusable(f"{SHEET}:{sheet.line('name')}: name: found {found(fields.name)}; expected {wanted}")
    if fields.name != name:
        text = f"found {found(fields.name)}; expected {found(name)}, the folder's own name"
        raise Unusable(f"{SHEET}:{sheet.line('name')}: name: {text}")
    return fields


def _missing(fields: Fields, which: Callable[[str], str | None]) -> Iterator[str]:
    """Programs that a skill says it needs and that are not here: by `metadata` (`requires: {bins: [...]}`, also below
    another program's name, as skills in the wild have it), else by the plain words after "requires".
    """
    tables = [fields.metadata, *(one for one in fields.metadata.values() if isinstance(one, dict))]
    wanted: list[str] = []
    for table in tables:
        needs = table.get("requires")
        if isinstance(needs, dict):
            wanted += _names(needs.get("bins"))
            any_of = _names(needs.get("anyBins"))
            if any_of and not any(which(one) for one in any_of):
                yield " or ".join(any_of)
        else:
            wanted += _names(needs)
    words = re.search(r"\brequires\s+(.*)", fields.compatibility, re.IGNORECASE)
    if not wanted and words:
        parts = re.split(r",|\band\b|;", words[1].rstrip("."))
        wanted = [part.strip() for part in parts if _PROGRAM.fullmatch(part.strip())]
    yield from (one for one in dict.fromkeys(wanted) if not which(one))


def _names(value: object) -> list[str]:
    if isinstance(value, str):
        return [one for one in re.split(r"[\s,]+", value) if one]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

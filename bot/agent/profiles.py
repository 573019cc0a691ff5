"""Profiles: `workspace/agents/<name>.md`, each a kind of worker with its own prompt, model, tools and limits.

A file is read when it is asked for, and again when it has changed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bot.config.locate import Loc
from bot.config.report import found, hint
from bot.config.schema import RoleName
from bot.config.validate import validate
from bot.desk import ToolError
from bot.frontmatter import Malformed, Sheet, parse
from providers.settings import Seconds

FOLDER = "agents"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of worker. What is empty or 0 is as for any worker; `deadline` is in seconds."""

    name: str = ""
    description: str = ""
    prompt: str = ""
    model: str = ""
    tools: tuple[str, ...] = ()
    max_steps: int = 0
    deadline: float = 0.0


@dataclass(frozen=True, slots=True)
class Usable:
    """What a profile may name: `tools` by their names, and models of which `model` says what is wrong ("": nothing)."""

    tools: Collection[str]
    model: Callable[[str], str]


class Fields(BaseModel):
    """What the front matter may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    description: str = Field(min_length=1, max_length=1024)
    """For the assistant, which chooses by it."""
    name: str | None = None
    """The file's own."""
    model: str | None = Field(default=None, min_length=1)
    """A model or an alias. Default: the role rlm."""
    role: RoleName | None = None
    """Instead of a model: that of a role."""
    tools: list[str] = Field(default=[], min_length=1)
    """Names of tools, or of files in `bot/tools`. Default: those of any worker."""
    max_steps: int | None = Field(default=None, ge=1, le=1000)
    deadline: Seconds | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One file as it was read: a profile, or what is wrong (line, text)."""

    profile: Profile
    sheet: Sheet = field(default_factory=Sheet)
    problems: tuple[tuple[int, str], ...] = ()


class Profiles:
    def __init__(self, workspace: Path) -> None:
        self._folder = workspace / FOLDER
        self._read: dict[str, tuple[tuple[int, int, int], _Read]] = {}

    def get(self, name: str, usable: Usable) -> Profile:
        """The profile of this name, the plain one for "". Raises ToolError."""
        if not name:
            return Profile()
        files = self._files()
        if name not in files:
            there = hint(name, files, "there are") if files else "there are none; leave `profile` empty"
            raise ToolError(f"There is no profile {name!r}; {there}.")
        read = self._file(name)
        problems = [f"{FOLDER}/{name}.md:{line}: {text}" for line, text in sorted(_problems(read, usable))]
        if problems:
            raise ToolError(
                f"The profile {name} can't be used until its owner corrects it. {' '.join(problems)}"
            )
        return read.profile

    def listed(self) -> list[Profile]:
        """Those whose files are in order, by name."""
        reads = (self._file(name) for name in self._files())
        return [read.profile for read in reads if not read.problems]

    def problems(self, usable: Usable) -> list[str]:
        """Everything that is wrong with the files, a line each: FILE:LINE: FIELD: what is wrong."""
        return [
            f"{self._folder / name}.md:{line}: {text}"
            for name in self._files()
            for line, text in sorted(_problems(self._file(name), usable))
        ]

    def _files(self) -> list[str]:
        """The names that there are."""
        try:
            found = os.listdir(self._folder)  # noqa: PTH208 -- names are all that is needed, on every turn
        except OSError:
            return []
        stems = (name.removesuffix(".md") for name in found if name.endswith(".md"))
        return sorted(stem for stem in stems if not stem.startswith((".", "_")) and stem != "README")

    def _file(self, name: str) -> _Read:
        file = self._folder / f"{name}.md"
        try:
            about = file.stat()
        except OSError as error:
            return _Read(Profile(name), problems=((1, f"can't be read: {error.strerror}"),))
        stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
        known = self._read.get(name)
        if known is None or known[0] != stamp:
            known = self._read[name] = (stamp, _read(name, file, about))
        return known[1]


def _read(name: str, file: Path, about: os.stat_result) -> _Read:
    """Read one file; whatever is wrong with it is told when it is used."""

    def wrong(text: str, line: int = 1) -> _Read:
        return _Read(Profile(name), problems=((line, text),))

    if not _NAME.fullmatch(name):
        return wrong("its name is none for a profile; expected letters, digits, - and _")
    if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
        return wrong(f"is no file of at most {_MOST_BYTES} bytes")
    try:
        sheet = parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        return wrong(f"can't be read: {error.strerror}")
    except UnicodeDecodeError:
        return wrong("is not UTF-8")
    except Malformed as error:
        return wrong(str(error), error.line)
    fields, findings = validate(Fields, dict(sheet.fields), ())
    problems = [(sheet.line(_first(one.loc)), f"{_first(one.loc)}: {one.text}") for one in findings]
    if fields is None:
        return _Read(Profile(name), sheet, tuple(sorted(problems)))
    if fields.name not in (None, name):
        text = f"name: found {found(fields.name)}; expected {found(name)}, the file's own name"
        problems.append((sheet.line("name"), text))
    if fields.model and fields.role:
        problems.append((sheet.line("role"), "role: stands beside model; expected one of the two"))
    profile = Profile(
        name,
        fields.description,
        sheet.body,
        fields.model or fields.role or "",
        tuple(fields.tools),
        fields.max_steps or 0,
        fields.deadline or 0.0,
    )
    return _Read(profile, sheet, tuple(sorted(problems)))


def _problems(read: _Read, usable: Usable) -> Iterator[tuple[int, str]]:
    """What is wrong with a file, the names in it included."""
    yield from read.problems
    if read.problems:
        return
    for tool in read.profile.tools:
        if tool not in usable.tools:
            near = hint(tool, sorted(usable.tools), "there are")
            yield read.sheet.line("tools"), f"tools: there is no tool {found(tool)}; {near}"
    if "model" in read.sheet.lines and (wrong := usable.model(read.profile.model)):
        yield read.sheet.line("model"), f"model: {wrong}"


def _first(loc: Loc) -> str:
    return str(loc[0]) if loc else "front matter"

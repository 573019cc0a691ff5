"""The skills that there are, and which of them the owner has enabled.

A yes is for the folder as it is: with any change in it, it is untrusted again.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from bot.errors import BotError
from bot.skills import folder
from bot.skills.folder import Skill, Stamp, Unusable
from bot.storage import skills as rows
from bot.storage.database import Database
from bot.storage.tables import EnabledSkill

FOLDER = "skills"
_LISTED_CHARS = 2_400
"""Of names and descriptions in a prompt: about 700 tokens."""
_DESCRIPTION_CHARS = 240
_SHOWN_NAMES = 10


class State(StrEnum):
    ENABLED = "enabled"
    NEW = "not enabled"
    CHANGED = "changed since it was enabled"
    BROKEN = "can't be used"


class SkillError(BotError):
    """Says in one line what is wrong, and what would work."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A skill and how it stands; `enabled_at` (epoch seconds) and `enabled_by` tell of the last yes."""

    skill: Skill
    state: State
    enabled_at: float | None = None
    enabled_by: str = ""

    def as_json(self) -> dict[str, Any]:
        """For `nanobot skills list --json`."""
        skill = self.skill
        return {
            "name": skill.name,
            "description": skill.description,
            "state": self.state.value,
            "problem": skill.problem,
            "missing": list(skill.missing),
            "compatibility": skill.compatibility,
            "files": list(skill.files),
            "digest": skill.digest,
            "enabled_at": self.enabled_at,
            "enabled_by": self.enabled_by,
        }


class Skills:
    """`clock` gives seconds since the epoch."""

    def __init__(self, database: Database, workspace: Path, clock: Callable[[], float]) -> None:
        self._database = database
        self._folder = workspace / FOLDER
        self._clock = clock
        self._read: dict[str, tuple[Stamp, Skill]] = {}
        self._enabled: dict[str, EnabledSkill] | None = None

    async def all(self) -> list[Shelved]:
        """Every folder, by name."""
        names = self._names()
        if not names:
            return []
        enabled = await self._yeses()
        skills = await asyncio.to_thread(lambda: [self._one(name) for name in names])
        return [_shelved(skill, enabled.get(skill.name)) for skill in skills]

    async def prompt(self) -> str:
        """The skills for a system prompt: names and descriptions of the enabled ones, within their budget, and the
        mere names of the others; "" where there are none.
        """
        shelf = await self.all()
        enabled = [one.skill for one in shelf if one.state is State.ENABLED]
        others = [one.skill.name for one in shelf if one.state in (State.NEW, State.CHANGED)]
        parts = []
        if enabled:
            lines = "\n".join(_within([_line(skill) for skill in enabled]))
            parts.append(
                f"Skills: instructions for certain work. Read one with skill_read before you do it.\n{lines}"
            )
        if others:
            parts.append(f"Skills that the owner hasn't enabled: {', '.join(others[:_SHOWN_NAMES])}.")
        return "\n".join(parts)

    async def find(self, name: str) -> Shelved:
        """One by its name. Raises SkillError."""
        if name not in self._names():
            names = self._names()
            near = difflib.get_close_matches(name, names, n=1)
            fix = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"
            raise SkillError(f"there is no skill {name!r}; {fix}")
        skill = await asyncio.to_thread(self._one, name)
        return _shelved(skill, (await self._yeses()).get(name))

    async def read(self, name: str, file: str) -> tuple[Shelved, str]:
        """A skill and the text of one of its files. Raises SkillError."""
        shelved = await self.find(name)
        skill = shelved.skill
        if skill.problem:
            raise SkillError(skill.problem)
        wanted = str(PurePosixPath(file))
        if wanted not in skill.files:
            near = difflib.get_close_matches(wanted, skill.files, n=1)
            fix = f"did you mean {near[0]}?" if near else f"its files: {', '.join(skill.files)}"
            raise SkillError(f"the skill {name} has no file {file!r}; {fix}")
        try:
            data = await asyncio.to_thread(folder.read, self._folder / name, wanted, skill.files)
            return shelved, data.decode()
        except UnicodeDecodeError:
            raise SkillError(f"{wanted} is not a text file; commands find it in skills/{name}") from None
        except (OSError, Unusable) as error:
            raise SkillError(f"skills/{name}: {error}") from None

    async def enable(self, name: str, by: str) -> Shelved:
        """Take the owner's yes for a skill as it is now. Raises SkillError."""
        skill = (await self.find(name)).skill
        if skill.problem:
            raise SkillError(f"{skill.problem}; correct that first")
        row = EnabledSkill(name=name, digest=skill.digest, enabled_at=self._clock(), enabled_by=by)
        await self._database.write(partial(rows.enable, row=row))
        (await self._yeses())[name] = row
        return await self.find(name)

    async def disable(self, name: str) -> None:
        """Take a yes back. Raises SkillError where there was none."""
        if not await self._database.write(partial(rows.disable, name=name)):
            raise SkillError(f"the skill {name!r} is not enabled; `nanobot skills list` shows which are")
        (await self._yeses()).pop(name, None)

    async def own(self, path: Sequence[str]) -> bool:
        """Whether a file of the workspace, by the names on its way, lies in no skill but an enabled one, unchanged."""
        if not path or path[0].casefold() != FOLDER:
            return True
        if len(path) < 3 or path[0] != FOLDER or path[1] not in self._names():
            return False
        shelved = await self.find(path[1])
        return shelved.state is State.ENABLED and "/".join(path[2:]) in shelved.skill.files

    def _names(self) -> list[str]:
        """The folders by their names; hidden ones are none."""
        try:
            with os.scandir(self._folder) as entries:
                return sorted(
                    entry.name
                    for entry in entries
                    if not entry.name.startswith((".", "_")) and entry.is_dir(follow_symlinks=False)
                )
        except OSError:
            return []

    def _one(self, name: str) -> Skill:
        """Read again only where something has changed."""
        at = self._folder / name
        try:
            stamp = folder.stamp(at)
        except OSError as error:
            return Skill(name, problem=f"skills/{name} can't be read: {error.strerror}")
        except Unusable as error:
            return Skill(name, problem=f"skills/{name}: {error}")
        known = self._read.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        skill = folder.load(at, shutil.which)
        if folder.settled(stamp, time.time_ns()):
            self._read[name] = (stamp, skill)
        return skill

    async def _yeses(self) -> dict[str, EnabledSkill]:
        if self._enabled is None:
            self._enabled = {row.name: row for row in await self._database.read(rows.enabled)}
        return self._enabled


def _shelved(skill: Skill, yes: EnabledSkill | None) -> Shelved:
    at, by = (yes.enabled_at, yes.enabled_by) if yes else (None, "")
    if skill.problem:
        return Shelved(skill, State.BROKEN, at, by)
    if yes is None:
        return Shelved(skill, State.NEW)
    return Shelved(skill, State.ENABLED if yes.digest == skill.digest else State.CHANGED, at, by)


def _line(skill: Skill) -> str:
    about = skill.description
    short = about if len(about) <= _DESCRIPTION_CHARS else f"{about[:_DESCRIPTION_CHARS].rstrip()}…"
    lacks = f" (missing here: {', '.join(skill.missing)})" if skill.missing else ""
    return f"- {skill.name}: {short}{lacks}"


def _within(lines: list[str]) -> list[str]:
    """As many lines as the budget allows, and the mere names of the rest."""
    kept: list[str] = []
    left = _LISTED_CHARS
    for count, line in enumerate(lines):
        left -= len(line) + 1
        if left < 0:
            names = [one.split(":", 1)[0].removeprefix("- ") for one in lines[count:]]
            more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
            return [*kept, f"- also: {', '.join(names[:_SHOWN_NAMES])}{more}"]
        kept.append(line)
    return kept

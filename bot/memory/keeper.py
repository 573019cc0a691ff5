"""The files of facts on disk: one for each person and one for the household, every version kept.

    workspace/memory/<person>/MEMORY.md     workspace/memory/household.md

Edits by hand are seen before each change and kept as versions of their own.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bot.memory import facts
from bot.memory.facts import Applied, Change
from bot.storage import memory as rows
from bot.storage.database import Database
from bot.storage.tables import FactVersion

HOUSEHOLD = "household"
_MOST_BYTES = 256_000


class Keeper:
    """`clock` gives seconds since the epoch."""

    def __init__(self, database: Database, workspace: Path, clock: Callable[[], float]) -> None:
        self._database = database
        self._folder = workspace / "memory"
        self._clock = clock
        self._changing = asyncio.Lock()
        self._read: dict[str, tuple[tuple[int, int, int], str]] = {}

    def file(self, owner: str) -> Path:
        """Where the facts about a person lie, or the household's."""
        if owner == HOUSEHOLD:
            return self._folder / "household.md"
        return self._folder / folder_name(owner) / "MEMORY.md"

    def read(self, owner: str) -> str:
        """The file as it is now, "" where there is none; read again only where it has changed."""
        file = self.file(owner)
        try:
            about = file.stat()
        except OSError:
            return ""
        stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
        known = self._read.get(owner)
        if known is None or known[0] != stamp:
            known = self._read[owner] = (stamp, _read(file))
        return known[1]

    async def change(
        self, owner: str, changes: Sequence[Change], why: str, *, most_lost: float = 0.25
    ) -> Applied:
        """Apply changes to the file as it is now; the version before is kept. Raises OSError."""
        async with self._changing:
            before = self.read(owner)
            applied = facts.apply(before, changes, _heading(owner), most_lost=most_lost)
            if applied.done:
                await self._store(owner, before, applied.text, why)
            return applied

    async def restore(self, owner: str, version: int) -> bool:
        """Bring a version back; the present one is kept too. False where there is no such version."""
        async with self._changing:
            text = await self._database.read(partial(rows.version, owner=owner, number=version))
            if text is None:
                return False
            await self._store(owner, self.read(owner), text, f"version {version} restored")
            return True

    async def history(self, owner: str) -> list[rows.Version]:
        """Every version, oldest first."""
        return await self._database.read(partial(rows.versions, owner=owner))

    async def _store(self, owner: str, before: str, after: str, why: str) -> None:
        version = FactVersion(owner=owner, text=after, why=why, at=self._clock())
        await self._database.write(partial(rows.keep, version=version, before=before))
        await asyncio.to_thread(_write, self.file(owner), after)


def folder_name(person: str) -> str:
    """A person's folder: their name, without what a path could be led astray by."""
    name = re.sub(r"[^\w.-]", "_", person).lstrip(".")
    return name if name and name != HOUSEHOLD else f"_{name}"


def _heading(owner: str) -> str:
    return "What everybody here may know" if owner == HOUSEHOLD else f"What I know about {owner}"


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as text:
            return text.read(_MOST_BYTES)
    except OSError:
        return ""


def _write(file: Path, text: str) -> None:
    """Whole or not at all; readable for its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise

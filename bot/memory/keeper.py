"""The files of facts on disk: one for each person and one for the household, every version kept.

    workspace/memory/<person>/MEMORY.md     workspace/memory/household.md

Edits by hand are seen before each change and kept as versions of their own.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bot.errors import BotError
from bot.memory import facts
from bot.memory.facts import HOUSEHOLD, Applied, Change
from bot.safety.audit import digest_of
from bot.storage import memory as rows
from bot.storage.database import Database
from bot.storage.tables import FactVersion

_MOST_BYTES = 256_000
_TRIES = 5
"""How often a change is made anew because the file was edited meanwhile."""


class TooLarge(BotError):
    """A file that was not read whole must not be written."""


class Keeper:
    """`clock` gives seconds since the epoch."""

    def __init__(self, database: Database, workspace: Path, clock: Callable[[], float]) -> None:
        self._database = database
        self.workspace = workspace
        self._folder = workspace / "memory"
        self._clock = clock
        self._changing = asyncio.Lock()
        self._read: dict[str, tuple[_Stamp | None, str]] = {}

    def file(self, owner: str) -> Path:
        """Where the facts about a person lie, or the household's."""
        if owner == HOUSEHOLD:
            return self._folder / "household.md"
        return self._folder / folder_name(owner) / "MEMORY.md"

    def read(self, owner: str) -> str:
        """The file as it is now, its beginning where it is very long, "" where there is none; read again only where it
        has changed.
        """
        file = self.file(owner)
        stamp = _stamp(file)
        known = self._read.get(owner)
        if known is None or known[0] != stamp:
            known = self._read[owner] = (stamp, _read(file))
        return known[1]

    async def change(
        self, owner: str, changes: Sequence[Change], why: str, *, most_lost: float = 0.25
    ) -> Applied:
        """Apply changes to the file as it is now; the version before is kept. Raises OSError, TooLarge."""

        def changed(before: str) -> Applied:
            return facts.apply(before, changes, _heading(owner), most_lost=most_lost)

        async with self._changing:
            return await self._store(owner, why, changed)

    async def restore(self, owner: str, version: int) -> bool:
        """Bring a version back; the present one is kept too. False where there is no such version.

        Raises OSError, TooLarge.
        """
        text = await self._database.read(partial(rows.version, owner=owner, number=version))
        if text is None:
            return False
        async with self._changing:
            whole = Applied(text, (Change("add"),), ())
            await self._store(owner, f"version {version} restored", lambda _: whole)
        return True

    async def history(self, owner: str) -> list[rows.Version]:
        """Every version, oldest first."""
        return await self._database.read(partial(rows.versions, owner=owner))

    async def _store(self, owner: str, why: str, change: Callable[[str], Applied]) -> Applied:
        """Change the file and keep both versions; begun anew where somebody saved the file meanwhile."""
        file = self.file(owner)
        for _ in range(_TRIES):
            before = self.read(owner)
            stamp = self._read[owner][0]
            if stamp is not None and stamp.size > _MOST_BYTES:
                raise TooLarge(
                    f"{file} has more than {_MOST_BYTES} bytes; make it shorter, then notes can be made again"
                )
            applied = change(before)
            if not applied.done:
                return applied
            version = FactVersion(owner=owner, text=applied.text, why=why, at=self._clock())
            await self._database.write(partial(rows.keep, version=version, before=before))
            if await asyncio.to_thread(_write, file, applied.text, stamp):
                return applied
        raise OSError(errno.EBUSY, "it is being edited all the time", str(file))


def folder_name(person: str) -> str:
    """A person's folder: their name, or where a path could be led astray by it, what is left with a mark of its own."""
    plain = re.sub(r"[^\w-]", "_", person)
    return plain if plain == person and plain else f"{plain}-{digest_of(person)[:8]}"


def _heading(owner: str) -> str:
    return "What everybody here may know" if owner == HOUSEHOLD else f"What I know about {owner}"


class _Stamp(NamedTuple):
    """What tells that a file is still the one that was read."""

    changed: int
    size: int
    inode: int


def _stamp(file: Path) -> _Stamp | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return _Stamp(about.st_mtime_ns, about.st_size, about.st_ino)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as data:
            found = data.read(_MOST_BYTES)
    except OSError:
        return ""
    return _text(found).replace("\r\n", "\n").replace("\0", "")


def _text(data: bytes) -> str:
    """What some editor wrote: UTF-8, else what Windows writes in western Europe."""
    cuts = 4 if len(data) == _MOST_BYTES else 1  # where it was cut off, a character may be cut too
    for cut in range(cuts):
        with suppress(UnicodeDecodeError):
            return data[: len(data) - cut].decode("utf-8-sig")
    return data.decode("cp1252", "replace")


def _write(file: Path, text: str, seen: _Stamp | None) -> bool:
    """Whole or not at all; readable for its owner only. False where the file is no longer the one that was seen."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        if _stamp(file) != seen:
            return False
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return True

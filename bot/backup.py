"""Backup and restore: database and workspace in one file, which proves that it is whole before it replaces anything.

A backup is a tar archive, compressed by gzip: `nanobot.db`, `workspace/`, what else lies in the data folder that can't
be made anew, and last `manifest.json` (who wrote it, when, every file's size and SHA-256). The database is copied
first, by SQLite's own means and in one step, so that it is one moment's state while the daemon writes on; the files
follow, so that every file which that state names is there.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from bot.errors import BotError
from bot.storage import schema
from bot.version import program_version

DATABASE = "nanobot.db"
WORKSPACE = "workspace"
KEPT = ("outgoing", "channels", "audit.anchors")
"""What of the data folder goes along: files on their way out, channels' own stores, the audit log's anchors."""
_MANIFEST = "manifest.json"
_FORMAT = 1
_CHUNK = 1 << 20
_MAGIC = b"SQLite format 3\0"
_SIDES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database (https://sqlite.org/tempfiles.html)."""


class BackupError(BotError):
    """A backup can't be made, or isn't fit to be restored; nothing has changed."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie: the data folder, and the workspace, which may be elsewhere."""

    data: Path
    workspace: Path


@dataclass(frozen=True, slots=True)
class Made:
    """A backup: `at` in seconds since the epoch, `size` of the file in bytes, `files` beside the database."""

    path: Path
    at: float
    size: int
    files: int


def make(places: Places, to: Path, now: float) -> Made:
    """Write a backup to `to`, which must not exist. Raises BackupError, and leaves no half of a file behind."""
    database = places.data / DATABASE
    if not database.exists():
        raise BackupError(f"{database} does not exist: there is nothing to back up here")
    if to.exists():
        raise BackupError(f"{to} exists already; name a new file")
    for inside in (places.workspace, *(places.data / name for name in KEPT)):
        if to.resolve().is_relative_to(inside.resolve()):
            # Each would hold all those before it.
            raise BackupError(f"{to} lies in {inside}, which is backed up itself; name a file elsewhere")
    try:
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".nanobot-backup-") as folder:
            part = Path(folder, "part")
            # Its owner's only: it holds conversations.
            part.touch(0o600)
            count = _write(places, Path(folder), part, now)
            # Neither a link nor a change of mode, which file systems of USB sticks don't know.
            os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            part.replace(to)
    except FileExistsError:
        raise BackupError(f"{to} exists already; name a new file") from None
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BackupError(f"{to} could not be written: {why}") from None
    return Made(to, now, to.stat().st_size, count)


def _write(places: Places, folder: Path, part: Path, now: float) -> int:
    copy = folder / DATABASE
    revision = copy_database(places.data / DATABASE, copy)
    sources = [(DATABASE, copy), *_files(places, folder)]
    listed: dict[str, dict[str, Any]] = {}
    with tarfile.open(part, "w:gz", compresslevel=3) as archive:
        for name, path in sources:
            content = _Digested(path) if path.is_file() else None
            if content is None:
                continue  # Deleted since it was listed.
            with content as file:
                info = tarfile.TarInfo(name)
                info.size, info.mode, info.mtime = content.size, 0o600, int(path.stat().st_mtime)
                archive.addfile(info, file)
                listed[name] = {"size": content.size, "sha256": content.digest.hexdigest()}
        manifest = {
            "format": _FORMAT,
            "version": program_version(),
            "schema": revision,
            "at": now,
            "files": listed,
        }
        data = json.dumps(manifest).encode()
        info = tarfile.TarInfo(_MANIFEST)
        info.size, info.mode = len(data), 0o600
        archive.addfile(info, io.BytesIO(data))
    return len(listed) - 1


def copy_database(database: Path, to: Path) -> str:
    """Copy one moment's state of a database that may be in use; returns the schema's revision. Raises sqlite3.Error."""
    _copy(database, to)
    with closing(sqlite3.connect(to)) as copy:
        return str(copy.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _copy(database: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=30.0)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        # All pages in one step: in WAL mode that is one moment's state and holds up no writer.
        source.backup(target, pages=-1)
        target.execute("PRAGMA journal_mode = DELETE")


class _Digested:
    """A file read once: exactly the bytes that it had when it was opened, and their digest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.digest = hashlib.sha256()
        self.size = path.stat().st_size

    def __enter__(self) -> Self:
        self._file: IO[bytes] = self._path.open("rb")
        self.size = self._left = os.fstat(self._file.fileno()).st_size
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, most: int = -1) -> bytes:
        wanted = self._left if most < 0 else min(most, self._left)
        data = self._file.read(wanted)
        # One that shrinks while it is read is filled up, since its size is written already.
        data += bytes(wanted - len(data))
        self._left -= len(data)
        self.digest.update(data)
        return data


def _files(places: Places, folder: Path) -> Iterator[tuple[str, Path]]:
    for name in KEPT:
        path = places.data / name
        if path.is_file():
            yield name, path
        elif path.is_dir():
            yield from ((f"{name}/{inside}", one) for inside, one in _settled(path, folder))
    yield from ((f"{WORKSPACE}/{inside}", one) for inside, one in _below(places.workspace))


def _settled(path: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Files below `path`; of databases, to which somebody may write now, copies in `folder` instead."""
    for inside, one in _below(path):
        if _is_database(one):
            copy = Path(folder, hashlib.sha256(inside.encode()).hexdigest())
            try:
                _copy(one, copy)
            except sqlite3.DatabaseError:
                copy = one  # damaged: as it is, rather than no backup at all
            yield inside, copy
        elif not any(
            one.name.endswith(end) and _is_database(one.with_name(one.name.removesuffix(end)))
            for end in _SIDES
        ):
            yield inside, one


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Ordinary files below a folder; links are not followed, since they may lead anywhere."""
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(at, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


@dataclass(frozen=True, slots=True)
class Checked:
    """A backup that is whole. `kept` is where what it replaced lies now, once it was restored."""

    at: float
    version: str
    files: int
    kept: tuple[Path, ...] = ()


def restore(archive: Path, places: Places, now: float, *, look_only: bool = False) -> Checked:
    """Put a backup in the place of what is there, which is moved aside and never deleted; the daemon must not run.

    Everything is unpacked and checked beside it first. Raises BackupError; then nothing has changed. Where it is killed
    halfway there is no database, no bot starts, and it can be made again.
    """
    places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with tempfile.TemporaryDirectory(dir=places.data, prefix=schema.RESTORING) as folder:
            manifest = _unpacked(archive, Path(folder))
            files = len(manifest["files"]) - 1
            checked = Checked(float(manifest["at"]), str(manifest["version"]), files)
            if look_only:
                return checked
            kept = _swap(Path(folder), places, now)
    except (OSError, EOFError, ValueError, tarfile.TarError, sqlite3.Error) as error:
        raise BackupError(f"{archive} can't be restored: {error}") from None
    for left in places.data.glob(f"{schema.RESTORING}*"):
        shutil.rmtree(left, ignore_errors=True)
    return Checked(checked.at, checked.version, files, kept)


def _unpacked(archive: Path, folder: Path) -> dict[str, Any]:
    """Unpack into an empty folder and compare with the manifest."""
    found: dict[str, tuple[int, str]] = {}
    manifest: Any = None
    with tarfile.open(archive, "r:gz") as tar:
        for info in tar:
            if info.name == _MANIFEST:
                file = tar.extractfile(info)
                manifest = json.load(file) if file is not None else None
                continue
            found[info.name] = _extract(tar, info, folder)
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise BackupError(f"{archive} is no backup of nanobot, or its end is missing")
    listed = {name: (one["size"], one["sha256"]) for name, one in manifest["files"].items()}
    if wrong := sorted({name for name, _ in listed.items() ^ found.items()}):
        raise BackupError(f"{archive} is damaged: {wrong[0]} is not what was written")
    if manifest["schema"] not in schema.revisions():
        raise BackupError(
            f"{archive} was written by nanobot {manifest['version']}, which is newer than this one: install that first"
        )
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        verdict = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise BackupError(f"{archive} holds a damaged database: {verdict}")
    return manifest


def _extract(tar: tarfile.TarFile, info: tarfile.TarInfo, folder: Path) -> tuple[int, str]:
    name = PurePosixPath(info.name)
    first = name.parts[0] if name.parts else ""
    if (
        not info.isreg()
        or name.is_absolute()
        or ".." in name.parts
        or first not in (DATABASE, WORKSPACE, *KEPT)
    ):
        raise BackupError(f"{info.name!r} has no place in a backup")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    source = tar.extractfile(info)
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as target:
        while source is not None and (data := source.read(_CHUNK)):
            digest.update(data)
            size += len(data)
            target.write(data)
        os.fchmod(target.fileno(), 0o600)
    os.utime(path, (info.mtime, info.mtime))
    return size, digest.hexdigest()


def _swap(folder: Path, places: Places, now: float) -> tuple[Path, ...]:
    """Move what is there aside and what was unpacked into its place; what can't be moved is moved back."""
    mark = datetime.fromtimestamp(now, UTC).strftime("before-restore-%Y%m%dT%H%M%SZ")
    steps: list[tuple[Path, Path]] = []
    # The database goes first and comes last: as long as it is missing, this is not over.
    targets = [(folder / name, places.data / name) for name in KEPT]
    targets += [(folder / WORKSPACE, places.workspace), (folder / DATABASE, places.data / DATABASE)]
    database = [places.data / f"{DATABASE}{end}" for end in ("", *_SIDES)]
    try:
        for old in (*database, *(target for _, target in targets)):
            if old.exists():
                _move(old, old.with_name(f"{old.name}.{mark}"), steps.append)
        for new, target in targets:
            if new.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _move(new, target, steps.append)
    except OSError:
        for source, target in reversed(steps):
            shutil.move(target, source)
        raise
    return tuple(target for _, target in steps if mark in target.name)


def _move(source: Path, target: Path, note: Callable[[tuple[Path, Path]], None]) -> None:
    # The workspace may lie on another file system, where a rename won't do.
    shutil.move(source, target)
    note((source, target))

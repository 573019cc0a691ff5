"""A file that is still being fetched: what has come of it lies beside its place as `NAME.part`, with a note of what it
is a part of, until it is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


class Busy(Exception):
    """Another process fetches the same file now."""


class Part:
    """Made by `opened`, which holds it for one process at a time. Raises OSError where the disk doesn't play along."""

    def __init__(self, place: Path, file: BinaryIO) -> None:
        self.size = os.fstat(file.fileno()).st_size
        self.folder = place.parent
        self._place = place
        self._file = file

    def note(self, of: str) -> None:
        """What it is a part of: which content, wherever it comes from; "" where nobody tells."""
        if not self.size:
            _note(self._place).write_text(json.dumps({"of": of}), encoding="utf-8")

    def belongs_to(self, of: str) -> bool:
        """Whether this is a part of the same; where nobody tells, it may be anything."""
        said: Any = None
        with contextlib.suppress(OSError, ValueError):
            said = json.loads(_note(self._place).read_text(encoding="utf-8"))
        return bool(of) and isinstance(said, dict) and said.get("of") == of

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._file.write(chunk)

    def restart(self) -> None:
        """Throw away what has come."""
        self._file.truncate(0)
        self._file.seek(0)
        self.size = 0

    def path(self) -> Path:
        """Where all of it lies that has come."""
        self._file.flush()
        return _part(self._place)

    def sha256(self) -> str:
        """Of all that has come. Takes seconds for a large file."""
        with self.path().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def finish(self) -> None:
        """Put it into its place, whole and surely on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        _part(self._place).replace(self._place)
        _note(self._place).unlink(missing_ok=True)

    def discard(self) -> None:
        """Take it off the disk."""
        discard(self._place)


def discard(place: Path) -> bool:
    """Take off the disk what has come of the file that was to be at `place`; whether there was anything."""
    begun = _part(place).exists()
    _part(place).unlink(missing_ok=True)
    _note(place).unlink(missing_ok=True)
    return begun


@contextmanager
def opened(place: Path) -> Iterator[Part]:
    """What has come so far of the file that is to be at `place`, to go on with. Raises `Busy`, OSError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with _part(place).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        yield Part(place, file)


def _part(place: Path) -> Path:
    return place.with_name(f"{place.name}.part")


def _note(place: Path) -> Path:
    return place.with_name(f"{place.name}.part.json")

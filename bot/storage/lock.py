"""One daemon per data folder: a lock that the system itself drops when its holder dies, however it dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bot.errors import StorageError

_LOOK_SECONDS = 0.2


@asynccontextmanager
async def locked(data: Path, announce: Callable[[str], None]) -> AsyncIterator[None]:
    """Hold the data folder. While another process has it, say once which one, and wait."""
    fd = _open(data)
    try:
        told = False
        while not _try(fd):
            if not told:
                holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
                announce(f"{data} is in use by the nanobot with pid {holder}; waiting for it to end")
                told = True
            await asyncio.sleep(_LOOK_SECONDS)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def _open(data: Path) -> int:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(
            f"{data}: {error.strerror}; check who owns the folder, or name another with --data"
        ) from None


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""One bot per data folder: the second says which one it waits for, and goes on when that ends, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bot.errors import StorageError
from bot.storage.lock import locked

HOLDER = """
import asyncio, sys
from pathlib import Path
from bot.storage.lock import locked
async def hold():
    async with locked(Path(sys.argv[1]), print):
        print("held", flush=True)
        await asyncio.sleep(60)
asyncio.run(hold())
"""


async def test_the_second_names_the_holder_once_and_waits_until_it_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(data), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    told: list[str] = []
    asyncio.get_running_loop().call_later(0.3, holder.send_signal, signal.SIGKILL)
    async with asyncio.timeout(30.0), locked(data, told.append):
        assert (data / "lock").read_text() == f"{os.getpid()}\n"
    assert await holder.wait() == -signal.SIGKILL
    assert told == [f"{data} is in use by the nanobot with pid {holder.pid}; waiting for it to end"]
    assert data.stat().st_mode & 0o077 == 0


async def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/data.*check who owns"):
        async with locked(tmp_path / "file" / "data", print):
            pass

"""The daemon as it is, in a process that may kill itself at one of its own commits.

    python -m tests.crash.daemon CONFIG DATA [TRANSACTION:before|after:NTH]

`finish:before:1` sends SIGKILL when the first transaction named `finish` is about to be run, `finish:after:1` when it
is on disk and nothing that follows from it has happened. A transaction's name is that of its function.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bot.tools
from bot import app
from bot.config import load_config
from bot.ops import logs
from bot.safety.redaction import Redactor
from bot.storage.database import Database, Transaction

bot.tools.__path__.append(str(Path(__file__).with_name("tools")))


def deadly(point: str) -> None:
    """Make `Database.write` end this process at `point`."""
    wanted, when, nth = point.split(":")
    left = [int(nth)]
    write = Database.write

    async def dying(self: Database, run: Callable[[Transaction], Any]) -> Any:
        name = getattr(run, "func", run).__name__
        if name == wanted:
            left[0] -= 1
        now = name == wanted and left[0] == 0
        if now and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = await write(self, run)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Database.write = dying  # type: ignore[method-assign] # this process exists to be killed


async def main() -> None:
    config, data = Path(sys.argv[1]), Path(sys.argv[2])
    if len(sys.argv) > 3 and sys.argv[3]:
        deadly(sys.argv[3])
    logs.configure(Redactor(), verbose=False, journal=False)
    env = {name: value for name, value in os.environ.items() if not name.startswith("NANOBOT_")}
    async with app.opened(app.Start(load_config(config, env), data, env)) as running:
        print("ready", flush=True)
        await running.run_until_stopped()


if __name__ == "__main__":
    asyncio.run(main())

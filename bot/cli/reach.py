"""How a command reaches a bot: the one that runs, else one opened in this process for as long as it is needed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bot.cli.client import Client, search
from bot.cli.options import Options
from bot.errors import StorageError

if TYPE_CHECKING:
    from bot.app import App
    from bot.config import Loaded

Say = Callable[[str], None]

_LOOK_SECONDS = 0.2


class _InUse(Exception):
    """Another process has the data folder; its socket may appear any moment."""


def complain(line: str) -> None:
    """One line for the person at the terminal, beside the output proper."""
    print(line, file=sys.stderr, flush=True)


@asynccontextmanager
async def reaching(
    options: Options, *, say: Say = complain, loaded: Loaded | None = None
) -> AsyncIterator[Client]:
    """A client of the running bot, else of one without channels in this process. Raises BotError.

    `loaded` is the configuration for the latter, where the caller has it already.
    """
    told = False
    while True:
        running = search(options.sockets).found
        if running is not None:
            async with Client(running) as client:
                yield client
            return
        try:
            async with (
                opened(options, loaded or options.load(), _give_way) as own,
                Client(own.status.socket) as client,
            ):
                yield client
            return
        except _InUse as error:
            if not told:
                say(str(error))
            told = True
        await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def opened(options: Options, loaded: Loaded, announce: Say) -> AsyncIterator[App]:
    """A bot in this process that serves the terminal alone; its log goes to `chat.log` in the data folder."""
    from bot import app  # noqa: PLC0415 -- the whole program; a client goes without
    from bot.ops import logs  # noqa: PLC0415 -- as above

    data = options.data_folder
    async with AsyncExitStack() as stack:
        log = sys.stderr if options.verbose else stack.enter_context(_log_file(data))
        secrets = app.secrets(loaded.config)
        logs.configure(secrets, verbose=options.verbose, journal=False, stream=log)
        start = app.Start(loaded, data, options.env, announce, serve_channels=False)
        yield await stack.enter_async_context(app.opened(start))


def _give_way(line: str) -> None:
    raise _InUse(line)


def _log_file(data: Path) -> TextIO:
    """The log of one chat, which nobody but its user reads; the next one starts it afresh. Raises StorageError."""
    file = data / "chat.log"
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{file}: {error.strerror}; check who owns the folder, or name another with --data"
        ) from error

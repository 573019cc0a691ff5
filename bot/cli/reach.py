"""How a command reaches a bot: the one that runs, else one opened in this process for as long as it is needed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bot.cli.client import Client, search
from bot.cli.options import Options
from bot.errors import StorageError

if TYPE_CHECKING:
    from bot.app import App
    from bot.config import Loaded

_LOOK_SECONDS = 0.2
_LARGE_LOG = 1_000_000


class _InUse(Exception):
    """Another process has the data folder; its socket may appear any moment."""


def complain(line: str) -> None:
    """One line for the person at the terminal, beside the output proper."""
    print(line, file=sys.stderr, flush=True)


@asynccontextmanager
async def reaching(
    options: Options, *, loaded: Loaded | None = None, talking: bool = False, drawing: bool = False
) -> AsyncIterator[Client]:
    """A client of the running bot, else of one without channels in this process. Raises BotError.

    For the latter, `loaded` is the configuration, where the caller has it already; `talking` says that it also goes on
    with what was left unanswered at the terminal, and `drawing` that the caller draws there, so that the log has to
    stay away from it.
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
                _opened(options, loaded or options.load(), talking=talking, drawing=drawing) as own,
                Client(own.status.socket) as client,
            ):
                yield client
            return
        except _InUse as error:
            if not told:
                complain(str(error))
            told = True
        await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def _opened(options: Options, loaded: Loaded, *, talking: bool, drawing: bool) -> AsyncIterator[App]:
    """A bot in this process that serves the terminal alone; its log goes to a file, or with -v to standard error."""
    from bot import app  # noqa: PLC0415 -- the whole program; a client goes without
    from bot.ops import logs  # noqa: PLC0415 -- as above
    from bot.safety.redaction import Redactor  # noqa: PLC0415 -- as above
    from bot.secrets import secrets  # noqa: PLC0415 -- as above

    data = options.data_folder
    async with AsyncExitStack() as stack:
        seen = options.verbose and not drawing
        log = sys.stderr if seen else stack.enter_context(_log_file(data))
        redact = Redactor(secrets(loaded.config, options.env))
        logs.configure(redact, verbose=options.verbose, journal=False, stream=log)
        start = app.Start(
            loaded, data, options.env, _give_way, serve_channels=False, goes_on=talking, redact=redact
        )
        yield await stack.enter_async_context(app.opened(start))


def _give_way(line: str) -> None:
    raise _InUse(line)


def _log_file(data: Path) -> TextIO:
    """`chat.log`, for its user alone; begun afresh when it has grown large. Raises StorageError."""
    file = data / "chat.log"
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8")
        if log.tell() > _LARGE_LOG:
            log.truncate(0)
        return log
    except OSError as error:
        raise StorageError(
            f"{file}: {error.strerror}; check who owns the folder, or name another with --data"
        ) from error

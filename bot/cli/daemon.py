"""`nanobot run`: the bot with all its channels, until it is told to stop."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Mapping

from bot import app
from bot.cli.check import checked
from bot.cli.firstrun import ready
from bot.cli.options import Options
from bot.ops import logs
from bot.ops.liveness import dump_on_abort
from bot.safety.redaction import Redactor
from bot.secrets import secrets

log = logging.getLogger("nanobot")

_UP_WITHIN = 10.0
"""Seconds that channels get to connect, or to say why they can't yet, before we call ourselves ready."""


async def run(options: Options) -> None:
    """Serve until SIGTERM or Ctrl-C. Waits while another process has the data folder. Raises BotError."""
    loaded = await ready(options) or options.load()
    redact = Redactor(secrets(loaded.config, options.env))
    logs.configure(redact, verbose=options.verbose, journal=_journal(options.env, 2))
    for line in loaded.notices:
        log.warning("%s", line)
    start = app.Start(
        loaded,
        options.data_folder,
        options.env,
        load=lambda: checked(options.load(), options.env),
        redact=redact,
    )
    dump_on_abort()
    async with app.opened(start) as bot:
        gc.freeze()
        gc.enable()  # off since the start of the command
        await bot.settled(_UP_WITHIN)
        log.info("ready; models: %s", bot.discovery.choice)
        log.info("talk to it with `nanobot chat`; `nanobot status` says how it is")
        await bot.run_until_stopped()
        log.info("stopped")


def _journal(env: Mapping[str, str], fd: int) -> bool:
    """Whether the journal reads what is written to `fd`: systemd names its device and inode, see systemd.exec(5)."""
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return env.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}" and not sys.stderr.isatty()

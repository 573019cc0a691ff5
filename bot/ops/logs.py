"""Log lines: for a person on a terminal, with their priority for the journal, never with a secret's value in them."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from bot import trace
from bot.safety.redaction import Redactor

_LOUD_LIBRARIES = (
    "aioimaplib",
    "httpx",
    "httpcore",
    "telegram",
    "uvicorn",
    "asyncio",
    "alembic",
    "markdown_it",
)
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""The journal reads `<N>` before a line as its priority; see sd-daemon(3)."""


class Redacting(logging.Formatter):
    """Replaces every secret that occurs in a finished line, traces included."""

    def __init__(self, pattern: str, redact: Redactor, *, journal: bool) -> None:
        super().__init__(pattern, "%H:%M:%S")
        self._redact = redact
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        line = self._redact(super().format(record))
        if on_behalf := trace.mark():
            line = f"{line} [{on_behalf}]" if "\n" not in line else line.replace("\n", f" [{on_behalf}]\n", 1)
        if self._journal:
            mark = f"<{_PRIORITIES.get(record.levelno, 6)}>"
            line = mark + line.replace("\n", f"\n{mark}")
        return line


def configure(redact: Redactor, *, verbose: bool, journal: bool, stream: TextIO | None = None) -> None:
    """Send the process's log to standard error; `journal` when systemd reads it. `redact` may learn more secrets."""
    handler = logging.StreamHandler(stream or sys.stderr)
    pattern = "%(name)s: %(message)s" if journal else "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    handler.setFormatter(Redacting(pattern, redact, journal=journal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _LOUD_LIBRARIES:
        # At INFO these write one line per request, addresses (with a bot's token in them) included.
        logging.getLogger(name).setLevel(logging.WARNING)

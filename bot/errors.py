"""Errors that a person reads: one line that says what is wrong and what to do, and an exit code for scripts."""

from __future__ import annotations


class BotError(Exception):
    """Ends a command with its message and `exit_code`; never shown as a traceback."""

    exit_code = 1


class ConfigError(BotError):
    """The configuration can't be used. `problems` holds one line each."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StorageError(BotError):
    """The database can't be opened: newer, damaged, locked or not writable."""


class NotRunning(BotError):
    """No daemon answers on the control socket."""

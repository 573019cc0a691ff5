"""The command `nanobot`: `main` runs it and sees to it that nobody reads a traceback unasked."""

from __future__ import annotations

import os
import sys

from bot.cli.commands import cli
from bot.errors import BotError


def main() -> None:
    """Run the command line; ends the process with 0, or with what the error's kind says."""
    try:
        cli(prog_name="nanobot")
    except BrokenPipeError:
        # Whoever read our output has gone, as in `nanobot status | head -1`; Python would complain at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 -- the one place where a command's faults end
        sys.exit(_explained(error))


def _explained(error: Exception) -> int:
    """Tell standard error in a line what went wrong; returns the exit code."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, BotError):
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if {"-v", "--verbose"} & set(sys.argv):
        import traceback  # noqa: PLC0415 -- hardly ever needed

        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}"
    sys.stderr.write(f"nanobot failed: {what} (run `nanobot -v ...` for the trace; please report)\n")
    return 1


if __name__ == "__main__":
    main()

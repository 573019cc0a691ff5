"""The command `nanobot`: `main` runs it and sees to it that nobody reads a traceback unasked."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from bot.cli.commands import cli
from bot.cli.faults import explain


def main() -> NoReturn:
    """Run the command line; ends the process with 0, or with what the error's kind says."""
    code = _run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone, as in `nanobot status | head -1`; Python would complain at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    sys.exit(code)


def _run() -> int:
    try:
        cli(prog_name="nanobot")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except Exception as error:  # noqa: BLE001 -- the one place where a command's faults end
        fault = explain(error, verbose=bool({"-v", "--verbose"} & set(sys.argv)))
        sys.stderr.write(f"{fault.text}\n")
        return fault.code
    return 0


if __name__ == "__main__":
    main()

"""What a person reads of an error that ends a command."""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import BotError


@dataclass(frozen=True, slots=True)
class Fault:
    """`text` is for standard error, `code` for the shell."""

    text: str
    code: int


def explain(error: Exception, *, verbose: bool) -> Fault:
    """An error made for people as it stands, any other as a line that asks for a report; `verbose` adds its trace."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, BotError):
        return Fault(str(error), error.exit_code)
    if isinstance(error, PermissionError) and error.filename:
        who = "use sudo, be who nanobot runs as, or name another folder with --data"
        line = f"{error.filename}: {error.strerror}; {who}"
        return Fault(f"{_trace(error)}{line}" if verbose else line, 1)
    said = " ".join(f"{type(error).__name__}: {error}".split())
    line = f"nanobot failed: {said} (run `nanobot -v ...` for the trace; please report)"
    return Fault(f"{_trace(error)}{line}" if verbose else line, 1)


def _trace(error: Exception) -> str:
    import traceback  # noqa: PLC0415 -- hardly ever needed

    return "".join(traceback.format_exception(error))

"""On whose behalf something is done: every line of the log that a turn causes bears the turn's mark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_MARK: ContextVar[str] = ContextVar("mark", default="")


@contextmanager
def doing(mark: str) -> Iterator[None]:
    """Whatever is logged in here, and by tasks that are begun in here, bears this mark."""
    token = _MARK.set(mark)
    try:
        yield
    finally:
        _MARK.reset(token)


def mark() -> str:
    """The mark of what is being done; "" outside of any turn."""
    return _MARK.get()

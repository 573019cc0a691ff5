"""Scripted failures: which call is hit, and what happens to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import DEFAULT_TEXT, ApiError, too_many_requests

When = Literal["before", "after"]
Kind = Literal["error", "html", "drop", "delay", "truncate", "cut", "hang", "call", "kill"]
Params = dict[str, Any]
Hook = Callable[[Params], Awaitable[None] | None]


@dataclass(slots=True)
class Fault:
    """One scripted failure, as `FaultScript`'s methods or a control request describe it.

    It hits the `nth` call (from now) that matches, and the `times - 1` matching calls after it; None means
    all. With `when="after"` the call takes its effect first.
    """

    kind: Kind
    method: str = "*"
    when: When = "before"
    nth: int = 1
    times: int | None = 1
    status: int = 502
    description: str | None = None
    retry_after: int | None = None
    migrate_to_chat_id: int | None = None
    seconds: float = 0.0
    reset: bool = False
    pid: int = 0
    match: Params = field(default_factory=dict)
    """Parameters that the call must have; compared as text, a `text` only has to contain it."""
    where: Callable[[Params], bool] | None = None
    hook: Hook | None = None
    seen: int = 0
    hits: int = 0

    def takes(self, method: str, params: Params) -> bool:
        """Count the call if it matches; True if this fault is for it."""
        if self.method not in {"*", method} or not self._matches(params):
            return False
        self.seen += 1
        hit = self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)
        self.hits += hit
        return hit

    def _matches(self, params: Params) -> bool:
        for name, wanted in self.match.items():
            given = str(params.get(name, ""))
            if given != str(wanted) and not (name in {"text", "caption"} and str(wanted) in given):
                return False
        return self.where is None or self.where(params)

    def error(self) -> ApiError:
        if self.retry_after is not None:
            return too_many_requests(self.retry_after)
        extra = {} if self.migrate_to_chat_id is None else {"migrate_to_chat_id": self.migrate_to_chat_id}
        text = self.description or DEFAULT_TEXT.get(self.status, f"Error {self.status}")
        return ApiError(self.status, text, **extra)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


class FaultScript:
    """The faults still to come; the first that takes a call wins.

    Each method adds a fault and returns it, so that a test can look at its `hits`. Keywords are fields of
    `Fault`.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __iter__(self) -> Any:
        return iter(self._faults)

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def take(self, method: str, params: Params) -> Fault | None:
        """The fault for this call; `method` in its documented spelling."""
        if not self._faults:
            return None
        return next((fault for fault in list(self._faults) if fault.takes(method, params)), None)

    def error(self, method: str, status: int, description: str | None = None, **options: Any) -> Fault:
        """A Bot API error; `retry_after=N` makes it a real 429."""
        return self.add(Fault("error", method, status=status, description=description, **options))

    def html(self, method: str, status: int = 502, **options: Any) -> Fault:
        """An HTML page, as a proxy in between sends it."""
        return self.add(Fault("html", method, status=status, **options))

    def drop(self, method: str, when: When = "before", **options: Any) -> Fault:
        """Close the connection without an answer; `reset=True` with a TCP reset."""
        return self.add(Fault("drop", method, when, **options))

    def delay(self, method: str, seconds: float, when: When = "before", **options: Any) -> Fault:
        """Answer late."""
        return self.add(Fault("delay", method, when, seconds=seconds, **options))

    def truncate(self, method: str, **options: Any) -> Fault:
        """Answer half of the JSON, with a Content-Length that fits; the call takes effect."""
        return self.add(Fault("truncate", method, "after", **options))

    def cut(self, method: str, **options: Any) -> Fault:
        """Close the connection in the middle of the body; the call takes effect."""
        return self.add(Fault("cut", method, "after", **options))

    def hang(self, method: str, when: When = "before", **options: Any) -> Fault:
        """Never answer; the connection stays open."""
        return self.add(Fault("hang", method, when, **options))

    def call(self, method: str, hook: Hook, when: When = "before", **options: Any) -> Fault:
        """Call `hook(params)`, await it if it is a coroutine function, then go on as if nothing happened."""
        return self.add(Fault("call", method, when, hook=hook, **options))

    def kill(self, method: str, pid: int, when: When = "before", **options: Any) -> Fault:
        """SIGKILL a process (before: the call has no effect), and never answer."""
        return self.add(Fault("kill", method, when, pid=pid, **options))

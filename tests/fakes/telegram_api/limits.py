"""Flood control, as far as it is known from outside.

The documentation (core.telegram.org/bots/faq) says: about one message a second in a chat, with short bursts allowed;
about 30 a second overall; 20 a minute in a group. Edits are counted like messages here.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from .errors import too_many_requests

CHAT_BURST = 5
OVERALL = 30
PER_GROUP = 20
MINUTE = 60.0


class _Window:
    """At most `limit` in any `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._times: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Seconds until one more is allowed."""
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()
        return 0.0 if len(self._times) < self._limit else self._times[0] + self._seconds - now

    def count(self, now: float) -> None:
        self._times.append(now)


class Limits:
    """Counts messages per chat, per group and overall; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._overall = _Window(OVERALL, 1.0)
        self._chats: dict[int, list[_Window]] = {}

    def charge(self, chat_id: int, *, is_group: bool) -> None:
        """Count one message; raises ApiError 429 with retry_after if it is one too many."""
        if chat_id not in self._chats:
            groups = [_Window(PER_GROUP, MINUTE)] if is_group else []
            self._chats[chat_id] = [_Window(CHAT_BURST, float(CHAT_BURST)), *groups]
        windows = [self._overall, *self._chats[chat_id]]
        now = self._clock()
        wait = max(window.wait(now) for window in windows)
        if wait > 0:
            raise too_many_requests(math.ceil(wait))
        for window in windows:
            window.count(now)

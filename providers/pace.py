"""The requests per minute that the owner allows at a provider (`rate_limit_rpm`), or per hour that it allows a
stranger: sliding windows, time passed in.
"""

from __future__ import annotations

from collections import deque

MINUTE = 60.0
HOUR = 3600.0


class Pace:
    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = {}

    def ready_at(self, what: str, most: int | None, now: float, within: float = MINUTE) -> float:
        """When the next call may go; `now` or earlier means at once."""
        calls = self._calls.get(what)
        if most is None or calls is None:
            return now
        # The second condition forgets calls "in the future" after the clock was set back.
        while calls and not 0 <= now - calls[0] < within:
            calls.popleft()
        return now if len(calls) < most else calls[-most] + within

    def note(self, what: str, most: int | None, now: float) -> None:
        """A call goes out now."""
        if most is not None:
            self._calls.setdefault(what, deque(maxlen=most)).append(now)

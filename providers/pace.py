"""The requests per minute that the owner allows at a provider (`rate_limit_rpm`): a sliding window, time
passed in.
"""

from __future__ import annotations

from collections import deque

MINUTE = 60.0


class Pace:
    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = {}

    def ready_at(self, provider: str, rpm: int | None, now: float) -> float:
        """When the next call may go; `now` or earlier means at once."""
        calls = self._calls.get(provider)
        if rpm is None or calls is None:
            return now
        # The second condition forgets calls "in the future" after the clock was set back.
        while calls and not 0 <= now - calls[0] < MINUTE:
            calls.popleft()
        return now if len(calls) < rpm else calls[-rpm] + MINUTE

    def note(self, provider: str, rpm: int | None, now: float) -> None:
        """A call goes out now."""
        if rpm is not None:
            self._calls.setdefault(provider, deque(maxlen=rpm)).append(now)

"""How it stands with the server: how long to wait after a failure, and what to tell the owner, once. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from channels.adapters.telegram.errors import Trouble

_WAITS = {
    Trouble.LOST: (1.0, 30.0),
    Trouble.POLLER: (2.0, 30.0),
    Trouble.WEBHOOK: (5.0, 30.0),
    Trouble.TOKEN: (5.0, 300.0),
    Trouble.STORAGE: (1.0, 30.0),
    Trouble.DELIVERY: (5.0, 300.0),
    Trouble.LISTENER: (5.0, 60.0),
}
"""Seconds after the first failure, doubled after each further one, up to the second number."""

_POLLER_GONE_AFTER = 60.0
"""Two programs take turns in receiving; a success does not mean yet that the other one left."""


@dataclass(slots=True)
class Link:
    """Times are monotonic seconds; `random` gives numbers from 0 to 1, so that many don't return at once."""

    random: Callable[[], float]
    connected: bool = False
    trouble: Trouble | None = None
    detail: str = "connecting"
    failures: int = 0
    """How often the same trouble was met in a row."""
    beat: float | None = None
    """When it last worked or failed: receiving goes on as long as this does."""
    _last: Trouble | None = None
    _failed_at: float = 0.0

    @property
    def up(self) -> bool:
        return self.connected and self.trouble is None

    def failed(self, trouble: Trouble, detail: str, now: float) -> tuple[float, str]:
        """Seconds to wait, and what to tell if that is news: a connection that breaks once is none."""
        self.failures = self.failures + 1 if trouble is self._last else 1
        self._last, self._failed_at, self.beat = trouble, now, now
        first, most = _WAITS[trouble]
        wait = min(most, first * 2 ** min(self.failures - 1, 16)) * (0.8 + 0.2 * self.random())
        if trouble is Trouble.LOST and self.up and self.failures == 1:
            return wait, ""
        news = detail if trouble is not self.trouble else ""
        self.trouble, self.detail = trouble, detail
        return wait, news

    def worked(self, now: float) -> str:
        """What to tell if that is news."""
        self.beat = now
        if self.trouble is Trouble.POLLER and now - self._failed_at < _POLLER_GONE_AFTER:
            return ""
        news = "" if self.up else "receiving again" if self.connected else "receiving"
        self.connected, self.trouble, self.detail = True, None, ""
        self._last, self.failures = None, 0
        return news

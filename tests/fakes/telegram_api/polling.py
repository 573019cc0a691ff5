"""getUpdates: what the parameters mean, and the habits of the real server around them."""

from __future__ import annotations

import asyncio
from typing import Any

from .account import AccountMethods
from .dispatch import Deliver, Reply
from .errors import WEBHOOK_ACTIVE, ApiError, bad_request, conflict
from .forms import Call
from .http11 import Exchange
from .updates import UpdateQueue

MAX_TIMEOUT = 50
MAX_LIMIT = 100
QUICK_REPEAT = 3.0
VERY_QUICK_REPEAT = 0.5
CONFLICT_PAUSE = 3.0


class Poller:
    """Serves getUpdates from the queue.

    With `slow_repeats` it is as slow as the real server towards a client in a hurry: the same offset again
    within 3 s waits 3 s at least, within 0.5 s it gets one update only, and the second conflict within 3 s
    comes 3 s late.
    """

    def __init__(self, updates: UpdateQueue, account: AccountMethods, *, slow_repeats: bool) -> None:
        self._updates = updates
        self._account = account
        self._slow_repeats = slow_repeats
        self._last_offset: int | None = None
        self._last_start = 0.0
        self._next_conflict = 0.0

    def __call__(self, call: Call, exchange: Exchange, deliver: Deliver) -> None:
        if self._account.has_webhook:
            self._refuse(conflict(WEBHOOK_ACTIVE), deliver)
            return
        self._allow(call.json("allowed_updates"))
        offset = call.integer("offset")
        limit = min(max(call.integer("limit", MAX_LIMIT), 1), MAX_LIMIT)
        timeout = min(max(call.integer("timeout"), 0), MAX_TIMEOUT)
        if self._slow_repeats:
            limit, timeout = self._slowed(offset, limit, timeout)
        gone = self._updates.poll(
            offset,
            limit,
            timeout,
            lambda found: deliver(_reply(found)),
            lambda error: self._refuse(error, deliver),
        )
        exchange.on_close.append(gone)

    def _allow(self, wanted: Any) -> None:
        """A list replaces the kinds asked for, an empty one brings the default back, none changes nothing."""
        if wanted is None:
            return
        if not isinstance(wanted, list):
            raise bad_request("expected an Array of String as allowed updates")
        self._updates.allowed = frozenset(map(str, wanted)) or None

    def _slowed(self, offset: int, limit: int, timeout: int) -> tuple[int, int]:
        now = asyncio.get_running_loop().time()
        if offset == self._last_offset:
            if timeout < QUICK_REPEAT and now < self._last_start + QUICK_REPEAT:
                timeout = int(QUICK_REPEAT)
            if now < self._last_start + VERY_QUICK_REPEAT:
                limit = 1
        self._last_offset, self._last_start = offset, now
        return limit, timeout

    def _refuse(self, error: ApiError, deliver: Deliver) -> None:
        loop = asyncio.get_running_loop()
        if not self._slow_repeats or loop.time() >= self._next_conflict:
            self._next_conflict = loop.time() + CONFLICT_PAUSE
            deliver(Reply.failure(error))
        else:
            loop.call_later(CONFLICT_PAUSE, deliver, Reply.failure(error))


def _reply(found: list[str]) -> Reply:
    return Reply(200, ('{"ok":true,"result":[' + ",".join(found) + "]}").encode("utf-8", "surrogatepass"))

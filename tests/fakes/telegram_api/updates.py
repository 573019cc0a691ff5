"""The queue of updates behind getUpdates.

Semantics as in the official server (`Client::do_get_updates`, tdlib's `TQueue`; state of mid 2026): an
update stays until an offset above it is asked for, so what was delivered but not confirmed is delivered
again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import OTHER_POLLER, SET_WEBHOOK, ApiError, conflict

FIRST_ID = 100_000_001
KEPT = 24 * 3600.0
CALLBACK_KEPT = 150.0
NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
MAX_AHEAD = 10
"""An offset further than this behind the newest update is not believed, and counts as no offset."""

Answer = Callable[[list[str]], None]
Refuse = Callable[[ApiError], None]


@dataclass(frozen=True, slots=True)
class _Update:
    id: int
    expires: float
    text: str


@dataclass(slots=True)
class _Parked:
    offset: int
    limit: int
    answer: Answer
    refuse: Refuse
    timer: asyncio.TimerHandle


class UpdateQueue:
    """Numbers updates, keeps them until confirmed, and holds the one request that waits for the next."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.allowed: frozenset[str] | None = None
        self.on_emit: Callable[[dict[str, Any]], None] = lambda update: None
        self._clock = clock
        self._pending: deque[_Update] = deque()
        self._next_id = FIRST_ID
        self._parked: _Parked | None = None

    def __len__(self) -> int:
        """How many updates are not confirmed yet."""
        self._expire()
        return len(self._pending)

    @property
    def is_polled(self) -> bool:
        return self._parked is not None

    def add(self, kind: str, content: dict[str, Any]) -> int | None:
        """Queue an update; None if the bot did not ask for this kind."""
        if kind not in self.allowed if self.allowed is not None else kind in NOT_BY_DEFAULT:
            return None
        update_id = self._next_id
        self._next_id += 1
        update = {"update_id": update_id, kind: content}
        self.on_emit(update)
        text = json.dumps(update, ensure_ascii=False, separators=(",", ":"))
        kept = CALLBACK_KEPT if kind == "callback_query" else KEPT
        self._pending.append(_Update(update_id, self._clock() + kept, text))
        if self._parked is not None:
            asyncio.get_running_loop().call_soon(self._wake)
        return update_id

    def renumber(self, next_id: int) -> None:
        """Go on with another number, as the server may after a quiet week; what waits keeps its own."""
        self._next_id = next_id

    def first(self) -> tuple[int, str] | None:
        """The oldest update that waits, by its number."""
        self._expire()
        return (self._pending[0].id, self._pending[0].text) if self._pending else None

    def drop(self, update_id: int) -> None:
        """It was delivered."""
        self._pending = deque(update for update in self._pending if update.id != update_id)

    def clear(self) -> None:
        self._pending.clear()

    def poll(
        self, offset: int, limit: int, timeout: float, answer: Answer, refuse: Refuse
    ) -> Callable[[], None]:
        """Answer now, or when something arrives or `timeout` seconds have passed; at most one request waits.

        Returns what to call when the client has gone.
        """
        found = self._take(offset, limit)
        if found or timeout <= 0:
            answer(found)
            return lambda: None
        self._refuse_parked(conflict(OTHER_POLLER))
        timer = asyncio.get_running_loop().call_later(timeout, self._wake, True)
        parked = self._parked = _Parked(offset, limit, answer, refuse, timer)
        return lambda: self._forget(parked)

    def webhook_was_set(self) -> None:
        self._refuse_parked(conflict(SET_WEBHOOK))

    def _take(self, offset: int, limit: int) -> list[str]:
        self._expire()
        if offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        elif 0 < offset <= self._next_id + MAX_AHEAD:
            while self._pending and self._pending[0].id < offset:
                self._pending.popleft()
        return [update.text for update, _ in zip(self._pending, range(limit), strict=False)]

    def _expire(self) -> None:
        now = self._clock()
        if self._pending and any(update.expires <= now for update in self._pending):
            self._pending = deque(update for update in self._pending if update.expires > now)

    def _forget(self, parked: _Parked) -> None:
        if self._parked is parked:
            parked.timer.cancel()
            self._parked = None

    def _refuse_parked(self, error: ApiError) -> None:
        if self._parked is not None:
            parked, self._parked = self._parked, None
            parked.timer.cancel()
            parked.refuse(error)

    def _wake(self, time_is_up: bool = False) -> None:
        parked = self._parked
        if parked is None:
            return
        found = self._take(parked.offset, parked.limit)
        if found or time_is_up:
            self._forget(parked)
            parked.answer(found)

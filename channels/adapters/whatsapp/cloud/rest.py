"""How long to leave a chat, or the whole number, alone after WhatsApp asked for it. Pure; times are seconds.

Each wait is four times the one before: https://developers.facebook.com/docs/whatsapp/cloud-api/overview#rate-limits
"""

from __future__ import annotations

from dataclasses import dataclass

_GROWTH = 4.0
_LONGEST = 900.0
NUMBER = ""
"""Stands for all chats together."""


@dataclass(frozen=True, slots=True)
class _Rest:
    until: float
    times: int


class Rests:
    def __init__(self) -> None:
        self._rests: dict[str, _Rest] = {}

    def begin(self, whom: str, first: float, now: float) -> float:
        """Begin a rest that grows with each one in a row; returns how long it is."""
        before = self._rests.get(whom)
        times = before.times + 1 if before is not None else 0
        wait = min(first * _GROWTH**times, _LONGEST)
        self._rests[whom] = _Rest(now + wait, times)
        return wait

    def left(self, chat: str, now: float) -> float:
        """How long this chat is to be left alone; 0 if not at all."""
        rests = (self._rests.get(whom) for whom in (NUMBER, chat))
        return max((rest.until - now for rest in rests if rest is not None and rest.until > now), default=0.0)

    def over(self, chat: str) -> None:
        """Something came through."""
        for whom in (NUMBER, chat):
            self._rests.pop(whom, None)

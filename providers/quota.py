"""What servers say, with every answer, of how much they still allow; and OpenRouter's count of free calls.

Pure: the time is passed in (epoch seconds). The families of headers, as of November 2026:

    OpenAI, Groq, xAI   x-ratelimit-{limit,remaining,reset}-{requests,tokens}, resets as Go durations
    Anthropic           anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset},
                        resets in RFC 3339
    OpenRouter          x-ratelimit-{limit,remaining,reset} with its refusals, resets in epoch milliseconds
    Together            the same names for requests and x-tokenlimit-{limit,remaining} for tokens
    Mistral             x-ratelimit-remaining, also with -requests-minute, x-ratelimitbysize-remaining-month
    gateways            OpenAI's names with -1h behind them for the hour's windows, resets in seconds
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers import waits
from providers.errors import RateLimited
from providers.types import RateWindow, Route

LONGEST_GUESS = 900.0
"""Seconds for which what an answer's headers said holds calls back: it is no refusal. Where more is meant (a day's
limit), one more call finds that out.
"""
DAY = 86_400.0
COUNTING = "openrouter"
"""The preset whose server counts calls to free models."""
FREE_A_MINUTE = 20
MOST_FREE_A_DAY = 1000
"""What OpenRouter gives those who once bought credit; others get 50. `GET /key` tells which."""
ASK_EVERY = 10
"""Free calls after which the account's own count is asked for again."""
ASK_AGAIN = 600.0
"""Seconds until a server that did not tell its count is asked again."""

_NAME = re.compile(r"(?:ratelimit|tokenlimit)")
_SPANS = {"minute": 60.0, "hour": 3600.0, "1h": 3600.0, "day": DAY, "month": 30 * DAY}
"""How long a window lasts at most whose reset is not told, by the end of its name."""


def read(headers: Mapping[str, str], now: float) -> tuple[RateWindow, ...]:
    """Every limit that these headers tell. `headers` must ignore case. What makes no sense is left out."""
    names = [name for name in map(str.lower, headers) if "remaining" in name and _NAME.search(name)]
    if not names:
        return ()
    server_now = waits.server_time(headers, now)
    return tuple(_windows(names, headers, server_now, now))


def _windows(
    names: list[str], headers: Mapping[str, str], server_now: float, now: float
) -> Iterator[RateWindow]:
    for name in names:
        remaining = _count(headers[name])
        if remaining is None:
            continue
        wait = waits.seconds_from(headers.get(name.replace("remaining", "reset")), server_now)
        if wait is None:
            wait = next((span for end, span in _SPANS.items() if name.endswith(end)), None)
        until = None if wait is None else now + min(wait, LONGEST_GUESS)
        yield RateWindow(
            _unit(name), remaining, until, _count(headers.get(name.replace("remaining", "limit")))
        )


def _unit(name: str) -> str:
    if "output-token" in name:
        return "output tokens"
    return "tokens" if "token" in name or "bysize" in name else "requests"


def _count(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why a call would be refused now, and until when (epoch seconds)."""

    until: float
    detail: str


class Quotas:
    """The limits that servers told, for each model and key."""

    def __init__(self) -> None:
        self._windows: dict[tuple[Route, int], tuple[RateWindow, ...]] = {}

    def learn(self, route: Route, key: int, windows: tuple[RateWindow, ...]) -> None:
        """Keep what the latest answer said."""
        if windows:
            self._windows[route, key] = windows

    def shortage(self, route: Route, key: int, prompt: Callable[[], int], now: float) -> Shortage | None:
        """What speaks against a call now; `prompt` estimates its tokens, where that is needed. None: nothing."""
        windows = self._windows.get((route, key), ())
        found = (s for window in windows if (s := _shortage(window, prompt, now)))
        return max(found, key=lambda shortage: shortage.until, default=None)

    def spend(self, route: Route, key: int, prompt: Callable[[], int]) -> None:
        """A call goes out now: until its answer tells, it is taken off what remains."""
        windows = self._windows.get((route, key))
        if windows:
            self._windows[route, key] = tuple(
                replace(window, remaining=max(0.0, window.remaining - _needed(window, prompt)))
                for window in windows
            )


def _needed(window: RateWindow, prompt: Callable[[], int]) -> float:
    return 1.0 if window.unit != "tokens" else float(prompt())


def _shortage(window: RateWindow, prompt: Callable[[], int], now: float) -> Shortage | None:
    # A time further off than any that we note stems from a clock that was wrong then.
    if window.until is None or not now < window.until <= now + LONGEST_GUESS:
        return None
    if window.remaining < 1:
        return Shortage(window.until, f"no {window.unit} left until its limit is renewed")
    if window.unit != "tokens" or window.remaining >= (needed := prompt()):
        return None
    # A prompt that never fits, by an estimate: the server may judge.
    if window.limit is not None and needed > window.limit:
        return None
    return Shortage(window.until, f"{window.remaining:.0f} tokens left of its limit, about {needed} needed")


@dataclass(frozen=True, slots=True)
class FreeCalls:
    """An account's calls to free models on one UTC day, as the server counts them."""

    used: int
    limit: int


def free_calls(body: Any) -> FreeCalls | None:
    """The count in what OpenRouter's `GET /key` answers; None where it holds none."""
    data = body.get("data") if isinstance(body, Mapping) else None
    counts = data.get("free_model_daily_requests") if isinstance(data, Mapping) else None
    if not isinstance(counts, Mapping):
        return None
    used, limit, remaining = (counts.get(name) for name in ("used", "limit", "remaining"))
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        return None
    if not isinstance(used, int) and isinstance(remaining, int):
        used = limit - remaining
    return FreeCalls(max(0, used), limit) if isinstance(used, int) else None


@dataclass(slots=True)
class _Account:
    day: float
    used: int = 0
    limit: int = MOST_FREE_A_DAY
    since_told: int | None = None
    """Calls since the server told its own count; None: it never did."""
    refused: bool = False
    not_before: float = 0.0


class FreeDays:
    """How many calls to free models each account made today: ours, failed ones included, added to what the
    server counted when it was last asked. A day begins at 00:00 UTC.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    def note(self, account: str, now: float) -> None:
        """A call goes out now."""
        one = self._today(account, now)
        one.used += 1
        if one.since_told is not None:
            one.since_told += 1

    def told(self, account: str, calls: FreeCalls, now: float) -> None:
        """The server's own count."""
        one = self._today(account, now)
        one.used, one.limit, one.since_told, one.refused = calls.used, calls.limit, 0, False

    def refused(self, account: str, now: float) -> None:
        """The server said that there were too many."""
        self._today(account, now).refused = True

    def silent(self, account: str, now: float) -> None:
        """The server was asked for its own count and did not tell."""
        self._today(account, now).not_before = now + ASK_AGAIN

    def left(self, account: str, now: float) -> int:
        one = self._today(account, now)
        return max(0, one.limit - one.used)

    def due(self, account: str, now: float) -> bool:
        """Whether the server should be asked for its own count."""
        one = self._today(account, now)
        if now < one.not_before <= now + ASK_AGAIN:
            return False
        return one.refused or one.since_told is None or one.since_told >= ASK_EVERY

    def _today(self, account: str, now: float) -> _Account:
        day = now // DAY
        one = self._accounts.get(account)
        if one is None:
            one = self._accounts[account] = _Account(day)
        elif one.day != day:
            one.day, one.used, one.refused = day, 0, False
        return one


def used_up(now: float) -> RateLimited:
    """What the account of free models says until the next 00:00 UTC."""
    return RateLimited("today's free calls are used up", retry_after=DAY - now % DAY)

"""How long a server asks us to wait, in every way in which servers say so. Pure: the time is passed in.

Formats: RFC 9110 `Retry-After` (seconds or a date), `retry-after-ms`, and the `x-ratelimit-reset*` family,
which holds seconds, Go durations (`6m0s`, `120ms`), RFC 3339 times, epoch seconds or epoch milliseconds,
depending on the vendor.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST = 31 * 86_400.0
"""A longer wait than until next month is no wait that anybody means."""

_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")
_GO = re.compile(rf"(?:{_GO_PART.pattern})+")
_ON = re.compile(r"regain access on (\d{4}-\d\d-\d\d)(?: at (\d\d:\d\d))?")
_IN_TEXT = re.compile(
    r"(?:try again|retry)(?: after| in)? ((?:\d+(?:\.\d+)?\s?(?:hours?|minutes?|seconds?|ms|h|m|s)\s?)+)",
    re.IGNORECASE,
)


def seconds_from(value: object, now: float) -> float | None:
    """One value in any of the formats as seconds from `now` (epoch); None for what is none of them, past or
    absurd.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _sane(_number(float(value), now))
    text = str(value).strip()
    try:
        return _sane(_number(float(text), now))
    except ValueError:
        pass
    if _GO.fullmatch(text):
        return _sane(sum(float(n) * _GO_UNITS[unit] for n, unit in _GO_PART.findall(text)))
    at = _time(text)
    return None if at is None else _sane(at - now)


def from_headers(headers: Mapping[str, str], now: float) -> float | None:
    """The wait that response headers ask for, in seconds. `headers` must ignore case.

    Dates are read against the server's own clock, where it sent one.
    """
    server_now = server_time(headers, now)
    milliseconds = seconds_from(headers.get("retry-after-ms"), server_now)
    if milliseconds is not None:
        return milliseconds / 1000
    plain = seconds_from(headers.get("retry-after"), server_now)
    if plain is not None:
        return plain
    waits = [wait for name, wait in _resets(headers, server_now) if _used_up(headers, name)]
    return max(waits, default=None)


def server_time(headers: Mapping[str, str], now: float) -> float:
    """The server's own clock, where it shows it, in seconds since the epoch."""
    return _time(headers.get("date", "")) or now


def from_body(error: Mapping[str, Any], text: str, now: float) -> float | None:
    """The wait that an error's body asks for: in one of the known fields, else in the words of its message."""
    for found in _fields(error, depth=3):
        wait = seconds_from(found, now)
        if wait is not None:
            return wait
    if (day := _ON.search(text)) and (at := _time(f"{day[1]}T{day[2] or '00:00'}")):
        return _sane(at - now)
    match = _IN_TEXT.search(text)
    if match is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)\s?(h|ms|m|s)", match[1], re.IGNORECASE)
    return _sane(sum(float(number) * _GO_UNITS[unit.lower()] for number, unit in parts))


def to_next_month(now: float) -> float:
    """Seconds until the first of the next month, UTC."""
    today = datetime.fromtimestamp(now, UTC)
    year, month = divmod(today.year * 12 + today.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC).timestamp() - now


def _number(value: float, now: float) -> float:
    if value > 1e11:
        return value / 1000 - now
    return value - now if value >= 1e9 else value


def _sane(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) and 0 <= seconds <= LONGEST else None


def _time(text: str) -> float | None:
    try:
        return _epoch(datetime.fromisoformat(text))
    except ValueError:
        pass
    try:
        return _epoch(parsedate_to_datetime(text))
    except ValueError:
        return None


def _epoch(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _resets(headers: Mapping[str, str], now: float) -> Iterator[tuple[str, float]]:
    for name in headers:
        lowered = name.lower()
        if "ratelimit" in lowered and "reset" in lowered:
            wait = seconds_from(headers[name], now)
            if wait is not None:
                yield lowered, wait


def _used_up(headers: Mapping[str, str], reset: str) -> bool:
    """Whether the limit that this reset belongs to is the one that was hit, as far as `remaining` tells."""
    remaining = headers.get(reset.replace("reset", "remaining"))
    try:
        return remaining is None or float(remaining) < 1
    except ValueError:
        return True


def _fields(body: Mapping[str, Any], depth: int) -> Iterator[object]:
    """Values of the fields that hold a wait, the outer ones first; then inside what is nested."""
    for name in ("retry_after_seconds", "retry_after", "retryDelay", "resets_at"):
        if name in body:
            yield body[name]
    headers = body.get("headers")
    if isinstance(headers, Mapping):
        lowered = {str(name).lower(): value for name, value in headers.items()}
        for name in ("retry-after", "x-ratelimit-reset"):
            if name in lowered:
                yield lowered[name]
    if depth:
        for value in body.values():
            for inner in value if isinstance(value, list) else (value,):
                if isinstance(inner, Mapping):
                    yield from _fields(inner, depth - 1)

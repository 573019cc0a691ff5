"""How long a server asks us to wait, in every format seen."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from providers import waits

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("1.5", 1.5),
        (17, 17),
        ("6m0s", 360),
        ("2m59.56s", 179.56),
        ("120ms", 0.12),
        ("1h2m3s", 3723),
        ("55s", 55),
        ("1800000060", 60),
        ("1800000060000", 60),
        (1_800_007_200_000, 7200),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("2027-01-15T08:01:00Z", 60),
        ("2027-01-15T08:01:00", 60),
        ("2027-01-15T09:01:00+01:00", 60),
        ("0", 0),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1700000000", None),
        ("9999999", None),
        ("soon", None),
        ("", None),
        (None, None),
        (True, None),
        ("5x", None),
    ],
)
def test_a_value_is_read_as_seconds_from_now(value: object, seconds: float | None) -> None:
    assert waits.seconds_from(value, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": "30", "retry-after-ms": "1500"}, 1.5),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30),
        # The server's clock is an hour behind ours: its dates count from its own "now".
        ({"Date": "Fri, 15 Jan 2027 07:00:00 GMT", "Retry-After": "Fri, 15 Jan 2027 07:00:20 GMT"}, 20),
        ({"X-RateLimit-Reset": "1800007200000", "X-RateLimit-Remaining": "0"}, 7200),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-tokens": "5000",
                "x-ratelimit-reset-tokens": "24h",
            },
            360,
        ),
        ({"anthropic-ratelimit-requests-reset": "2027-01-15T08:00:09Z"}, 9),
        ({"x-ratelimit-remaining": "12", "x-ratelimit-reset": "60"}, None),
    ],
)
def test_headers_of_every_family(headers: dict[str, str], seconds: float | None) -> None:
    assert waits.from_headers(httpx.Headers(headers), NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("error", "text", "seconds"),
    [
        ({"metadata": {"retry_after_seconds": 17}}, "", 17),
        ({"metadata": {"headers": {"Retry-After": "18"}}}, "", 18),
        ({"availability": {"retry_after": 40}}, "", 40),
        ({"details": [{"@type": "x"}, {"retryDelay": "55s"}]}, "", 55),
        ({}, "Please retry in 55.57s.", 55.57),
        ({}, "Rate limit reached. Please try again in 1m2.5s. Visit", 62.5),
        ({}, "try again in 20 minutes", 1200),
        ({}, "Try again after 90 seconds", 90),
        ({}, "retry in 300ms", 0.3),
        ({}, "Please try again later", None),
    ],
)
def test_bodies_and_their_words(error: dict[str, Any], text: str, seconds: float | None) -> None:
    assert waits.from_body(error, text, NOW) == pytest.approx(seconds)

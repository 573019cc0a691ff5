"""Headers of any content never break the reading of limits, nor hold a call back for ever."""

from __future__ import annotations

import httpx
from hypothesis import given
from hypothesis import strategies as st

from providers.quota import LONGEST_GUESS, Quotas, read
from providers.types import Route

NOW = 1_800_000_000.0
NAMES = st.sampled_from(
    [
        f"{family}-{part}{unit}"
        for family in ("x-ratelimit", "anthropic-ratelimit-requests", "x-tokenlimit", "x-ratelimitbysize")
        for part in ("limit", "remaining", "reset")
        for unit in ("", "-requests", "-tokens", "-minute", "-requests-1h")
    ]
)
VALUES = (
    st.integers(-5, 10**14).map(str)
    | st.floats(allow_nan=True, allow_infinity=True).map(str)
    | st.sampled_from(
        ["1h2m3.5s", "120ms", "2027-01-15T08:00:30Z", "Fri, 15 Jan 2027 08:00:30 GMT", "", "soon"]
    )
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
)


@given(st.dictionaries(NAMES | st.just("date"), VALUES, max_size=12), st.integers(0, 10**6))
def test_whatever_is_told_a_call_goes_out_in_time(headers: dict[str, str], prompt: int) -> None:
    windows = read(httpx.Headers(headers), NOW)
    quotas, route = Quotas(), Route("p", "m")
    quotas.learn(route, 0, windows)
    quotas.spend(route, 0, lambda: prompt)

    short = quotas.shortage(route, 0, lambda: prompt, NOW)

    assert all(window.remaining >= 0 for window in windows)
    assert short is None or NOW < short.until <= NOW + LONGEST_GUESS
    assert quotas.shortage(route, 0, lambda: prompt, NOW + LONGEST_GUESS) is None

"""What headers tell of limits, in the form of each family, and OpenRouter's own count."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from providers.quota import LONGEST_GUESS, FreeCalls, FreeDays, Quotas, free_calls, read, used_up
from providers.types import RateWindow, Route

NOW = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""
ROUTE = Route("p", "m")


def told(headers: dict[str, str]) -> set[RateWindow]:
    return set(read(httpx.Headers(headers), NOW))


def test_openais_family() -> None:
    assert told(
        {
            "x-ratelimit-limit-requests": "5000",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6m0s",
            "x-ratelimit-limit-tokens": "160000",
            "x-ratelimit-remaining-tokens": "1200",
            "x-ratelimit-reset-tokens": "120ms",
        }
    ) == {RateWindow("requests", 0, NOW + 360, 5000), RateWindow("tokens", 1200, NOW + 0.12, 160_000)}


def test_groq_tells_a_days_requests_which_holds_nobody_back_for_so_long() -> None:
    [window] = told({"X-RateLimit-Remaining-Requests": "0", "X-RateLimit-Reset-Requests": "23h59m59.56s"})

    assert window == RateWindow("requests", 0, NOW + LONGEST_GUESS)


def test_anthropics_family_by_its_own_clock() -> None:
    headers = {
        "date": "Fri, 15 Jan 2027 07:59:00 GMT",  # a minute behind ours
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2027-01-15T07:59:30Z",
        "anthropic-ratelimit-input-tokens-remaining": "9000",
        "anthropic-ratelimit-input-tokens-reset": "2027-01-15T08:00:00Z",
        "anthropic-ratelimit-output-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-reset": "2027-01-15T08:00:00+00:00",
    }

    assert told(headers) == {
        RateWindow("requests", 49, NOW + 30, 50),
        RateWindow("tokens", 9000, NOW + 60),
        RateWindow("output tokens", 0, NOW + 60),
    }


def test_openrouters_refusal_in_epoch_milliseconds() -> None:
    reset = str(int((NOW + 40) * 1000))

    assert told({"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}) == {
        RateWindow("requests", 0, NOW + 40, 20)
    }


def test_togethers_family() -> None:
    headers = {
        "x-ratelimit-limit": "10",
        "x-ratelimit-remaining": "3",
        "x-ratelimit-reset": "2",
        "x-tokenlimit-limit": "3000",
        "x-tokenlimit-remaining": "77",
    }

    assert told(headers) == {RateWindow("requests", 3, NOW + 2, 10), RateWindow("tokens", 77, None, 3000)}


def test_mistrals_names_tell_the_window_and_no_reset() -> None:
    headers = {"x-ratelimit-remaining-req-minute": "0", "x-ratelimitbysize-remaining-month": "5"}

    assert told(headers) == {
        RateWindow("requests", 0, NOW + 60),
        RateWindow("tokens", 5, NOW + LONGEST_GUESS),
    }


def test_a_gateways_hourly_windows() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "31.5",
        "x-ratelimit-remaining-requests-1h": "0",
        "x-ratelimit-reset-requests-1h": "300",
    }

    assert told(headers) == {RateWindow("requests", 9, NOW + 31.5), RateWindow("requests", 0, NOW + 300)}


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "many", ""])
def test_what_makes_no_sense_is_left_out(value: str) -> None:
    assert told({"x-ratelimit-remaining-requests": value}) == set()


def test_a_reset_that_makes_no_sense_says_nothing_of_when() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"}

    assert told(headers) == {RateWindow("requests", 0, None)}


def test_ordinary_headers_hold_no_limits() -> None:
    assert read(httpx.Headers({"content-type": "text/event-stream", "date": "x"}), NOW) == ()


def short(quotas: Quotas, now: float = NOW, prompt: int = 100, key: int = 0) -> float | None:
    found = quotas.shortage(ROUTE, key, lambda: prompt, now)
    return found.until if found else None


def test_no_requests_left_holds_until_the_reset() -> None:
    quotas = Quotas()
    quotas.learn(ROUTE, 0, (RateWindow("requests", 0, NOW + 360), RateWindow("tokens", 9, NOW + 5)))

    assert short(quotas) == NOW + 360
    assert short(quotas, NOW + 359) == NOW + 360
    assert short(quotas, NOW + 360) is None
    assert short(quotas, key=1) is None
    assert quotas.shortage(Route("p", "sibling"), 0, lambda: 100, NOW) is None


def test_a_prompt_beyond_the_remaining_tokens_holds() -> None:
    quotas = Quotas()
    quotas.learn(ROUTE, 0, (RateWindow("tokens", 1200, NOW + 30, 8000),))

    assert short(quotas, prompt=1200) is None
    assert short(quotas, prompt=1201) == NOW + 30
    # An estimate says that it never fits: the server judges.
    assert short(quotas, prompt=8001) is None


def test_calls_under_way_count_until_an_answer_tells_more() -> None:
    quotas = Quotas()
    quotas.learn(ROUTE, 0, (RateWindow("requests", 2, NOW + 30), RateWindow("tokens", 250, NOW + 20)))
    quotas.spend(ROUTE, 0, lambda: 100)
    assert short(quotas) is None
    quotas.spend(ROUTE, 0, lambda: 100)
    assert short(quotas) == NOW + 30

    quotas.learn(ROUTE, 0, ())
    assert short(quotas) == NOW + 30
    quotas.learn(ROUTE, 0, (RateWindow("requests", 1, NOW + 60),))
    assert short(quotas) is None


def test_without_a_reset_nothing_is_held() -> None:
    quotas = Quotas()
    quotas.learn(ROUTE, 0, (RateWindow("requests", 0),))

    assert short(quotas) is None


def test_a_clock_set_back_holds_nothing() -> None:
    quotas = Quotas()
    quotas.learn(ROUTE, 0, (RateWindow("requests", 0, NOW + 360),))

    assert short(quotas, NOW - 100_000) is None


@pytest.mark.parametrize(
    ("counts", "calls"),
    [
        ({"used": 7, "limit": 50, "remaining": 43}, FreeCalls(7, 50)),
        ({"limit": 1000, "remaining": 993}, FreeCalls(7, 1000)),
        ({"used": 60, "limit": 50, "remaining": 0}, FreeCalls(60, 50)),
        ({"used": 7, "limit": None}, None),
        ({"used": "7", "limit": 50}, None),
        ([], None),
    ],
)
def test_openrouters_own_count(counts: Any, calls: FreeCalls | None) -> None:
    assert free_calls({"data": {"label": "x", "free_model_daily_requests": counts}}) == calls


@pytest.mark.parametrize("body", [None, [], {"data": None}, {"data": {"label": "x"}}])
def test_an_answer_without_the_count_is_none(body: Any) -> None:
    assert free_calls(body) is None


def test_our_calls_are_added_to_what_the_server_counted() -> None:
    days = FreeDays()
    days.note("a", NOW)
    assert days.left("a", NOW) == 999  # the most that anybody has
    days.told("a", FreeCalls(40, 50), NOW)
    for _ in range(9):
        days.note("a", NOW)

    assert days.left("a", NOW) == 1
    days.note("a", NOW)
    days.note("a", NOW)
    assert days.left("a", NOW) == 0
    assert days.left("b", NOW) == 1000


def test_a_new_day_begins_at_midnight_utc() -> None:
    days = FreeDays()
    days.told("a", FreeCalls(50, 50), NOW)
    midnight = NOW + 16 * 3600

    assert days.left("a", midnight - 1) == 0
    assert days.left("a", midnight) == 50
    assert used_up(NOW).retry_after == 16 * 3600


def test_the_server_is_asked_at_first_after_ten_calls_and_after_a_refusal() -> None:
    days = FreeDays()
    assert days.due("a", NOW)
    days.told("a", FreeCalls(0, 50), NOW)
    assert not days.due("a", NOW)
    for _ in range(9):
        days.note("a", NOW)
    assert not days.due("a", NOW)
    days.note("a", NOW)
    assert days.due("a", NOW)
    days.told("a", FreeCalls(10, 50), NOW)
    days.refused("a", NOW)
    assert days.due("a", NOW)

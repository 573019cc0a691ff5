"""Breaker and health book under any history: bounded waits, one probe, nothing forgotten over JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.errors import ProviderError
from providers.health import (
    LONGEST_REST,
    OPEN_FOR,
    PROBE_LOST,
    STRIKES,
    Breaker,
    HealthBook,
    ScopeState,
    scopes,
)
from providers.types import Route

ERRORS: list[ProviderError | None] = [
    None,
    errors.ServerError(),
    errors.Unreachable(),
    errors.Overloaded(retry_after=5),
    errors.Denied(),
    errors.RateLimited(retry_after=1e9),
    errors.RateLimited(),
    errors.TooLong(),
    errors.Loading(),
    errors.Empty(),
]
PAUSES = st.integers(0, 960).map(lambda eighths: eighths / 8)
"""Seconds that binary fractions hold exactly, so that sums of them can be compared."""

OUTCOMES = st.lists(st.tuples(PAUSES, st.booleans()), max_size=30)


def after(outcomes: list[tuple[float, bool]]) -> tuple[Breaker, float]:
    breaker, now = Breaker(), 0.0
    for pause, ok in outcomes:
        now += pause
        breaker = breaker.succeeded(now) if ok else breaker.failed(now)
    return breaker, now


@given(OUTCOMES)
def test_an_open_breaker_never_stays_so_for_longer_than_the_longest_time(
    outcomes: list[tuple[float, bool]],
) -> None:
    breaker, now = after(outcomes)

    assert breaker.closed or breaker.until - now <= OPEN_FOR[-1]


@given(OUTCOMES)
def test_a_success_always_closes(outcomes: list[tuple[float, bool]]) -> None:
    breaker, now = after(outcomes)

    assert breaker.succeeded(now).closed


@given(OUTCOMES)
def test_three_failures_in_a_row_always_open(outcomes: list[tuple[float, bool]]) -> None:
    breaker, now = after([*outcomes, *[(0.0, False)] * 3])

    assert not breaker.closed
    assert now - 0.1 < breaker.until <= now + OPEN_FOR[-1] or breaker.opened > 1


@given(st.integers(0, 2), st.integers(0, 100))
def test_fewer_failures_among_successes_never_open(failures: int, pause: int) -> None:
    assert after([(float(pause), True), *[(1.0, False)] * failures, (1.0, True)])[0].closed


def test_half_of_the_last_six_within_a_minute_opens() -> None:
    flapping = [(1.0, ok) for ok in (True, False, True, False, True, False)]

    assert not after(flapping)[0].closed
    assert after([(20.0, ok) for _, ok in flapping])[0].closed


@given(OUTCOMES, st.sampled_from(ERRORS), st.floats(0, 1e9))
def test_a_state_survives_json_as_far_as_it_matters(
    outcomes: list[tuple[float, bool]], error: ProviderError | None, until: float
) -> None:
    breaker, now = after(outcomes)
    state = ScopeState(breaker, until, type(error).__name__, "why", needs_owner=True)

    stored = state.to_json(now)

    if stored:
        restored = ScopeState.from_json(stored)
        assert (restored.until, restored.breaker.until, restored.breaker.opened) == (
            until,
            breaker.until,
            breaker.opened,
        )
    else:
        assert breaker.closed
        assert until - now <= 60


A, B, FREE = Route("p", "a"), Route("p", "b"), Route("q", "c:free")
STEPS = st.tuples(
    st.sampled_from([A, B, FREE]),
    st.sampled_from([0.1, 5.0, 31.0, 301.0]),
    st.sampled_from(["end", "leave"]),
    st.sampled_from(ERRORS),
)


def history(steps: list[tuple[Route, float, str, ProviderError | None]]) -> tuple[HealthBook, float]:
    book, now = HealthBook(), 1_800_000_000.0
    for route, pause, how, error in steps:
        now += pause
        if book.admit(route, now) is not None:
            continue
        if how == "end":
            book.record(route, error, now + 0.1)
        else:
            book.release(route)
    return book, now + 0.1


@given(st.lists(STEPS, max_size=40))
def test_every_wait_ends(steps: list[tuple[Route, float, str, ProviderError | None]]) -> None:
    book, now = history(steps)

    for route in (A, B, FREE):
        rest = book.check(route, now)
        assert rest is None or rest.until <= now + LONGEST_REST
        assert book.check(route, now + LONGEST_REST) is None


@given(st.lists(STEPS, max_size=40))
def test_what_rested_for_a_failure_lets_one_call_through_and_then_all_or_none(
    steps: list[tuple[Route, float, str, ProviderError | None]],
) -> None:
    book, now = history(steps)
    for _ in range(3):
        now += LONGEST_REST
        assert book.admit(A, now) is None
        book.record(A, errors.Unreachable(), now)
    rest = book.check(A, now)
    assert rest is not None

    now = rest.until
    assert [book.admit(A, now) is None for _ in range(10)] == [True] + [False] * 9
    book.release(A)
    assert [book.admit(A, now) is None for _ in range(10)] == [True] + [False] * 9
    book.record(A, errors.Unreachable(), now)
    assert book.admit(A, now) is not None
    now += LONGEST_REST
    assert book.admit(A, now) is None
    book.record(A, None, now)
    assert [book.admit(A, now) is None for _ in range(10)] == [True] * 10


@given(st.lists(STEPS, max_size=40))
def test_a_probe_that_never_reports_blocks_nobody_for_ever(
    steps: list[tuple[Route, float, str, ProviderError | None]],
) -> None:
    book, now = history([*steps, (A, 301.0, "end", errors.Denied())])
    now += LONGEST_REST
    book.admit(A, now)

    assert book.admit(A, now + PROBE_LOST) is None


@given(st.lists(STEPS, max_size=40))
def test_a_restart_keeps_the_long_rests(steps: list[tuple[Route, float, str, ProviderError | None]]) -> None:
    book, now = history(steps)
    stored = {scope: {**state, "of": "same"} for scope, state in book.changes(now).items() if state}

    restarted = HealthBook()
    restarted.restore(stored, {"p": "same", "q": "another"}, now)

    for route in (A, B):
        before, after = book.check(route, now), restarted.check(route, now)
        if before is not None and before.until - now > 60:
            assert after is not None
            assert (after.until, after.error, after.breaker) == (before.until, before.error, before.breaker)
    assert restarted.check(FREE, now) is None


@given(st.lists(STEPS, max_size=40))
def test_what_is_well_is_not_stored(steps: list[tuple[Route, float, str, ProviderError | None]]) -> None:
    book, now = history(steps)
    book.changes(now)
    now += LONGEST_REST
    for route in (A, B, FREE):
        book.record(route, None, now)

    assert all(state == {} for state in book.changes(now).values())
    assert book.resting(now) == ()
    assert book.changes(now) == {}


@pytest.mark.parametrize("error", [errors.RateLimited(retry_after=LONGEST_REST), errors.ServerError()])
def test_a_clock_set_back_by_a_year_ends_every_rest(error: ProviderError) -> None:
    book = HealthBook()
    for _ in range(STRIKES):
        book.record(A, error, 1_800_000_000.0)

    assert book.check(A, 1_800_000_000.0) is not None
    assert book.check(A, 1_768_000_000.0) is None


def test_what_needs_the_owner_rests_long_whatever_the_server_says() -> None:
    book = HealthBook()
    book.record(A, errors.OutOfMoney(retry_after=1), 1_800_000_000.0)

    rest = book.check(A, 1_800_000_000.0)

    assert rest is not None
    assert rest.until == 1_800_000_600.0


def test_scopes_are_named_as_they_are_stored() -> None:
    assert scopes(Route("or", "a/b:free")) == {
        "provider": "provider:or",
        "credential": "credential:or",
        "account": "account:or:free",
        "model": "model:or/a/b:free",
    }


@given(st.lists(STEPS, max_size=40))
def test_a_failing_key_leaves_the_other_alone_but_for_what_is_the_whole_providers(
    steps: list[tuple[Route, float, str, ProviderError | None]],
) -> None:
    book, now = HealthBook(), 1_800_000_000.0
    for route, pause, _, error in steps:
        now += pause
        if book.admit(route, now) is None:
            book.record(route, error, now)

    for route in (A, B, FREE):
        rest = book.check(route, now, key=1)
        assert rest is None or rest.scope == f"provider:{route.provider}"


@given(st.lists(st.booleans(), max_size=10))
def test_the_room_is_what_is_left_until_the_breaker_opens(outcomes: list[bool]) -> None:
    book, now = HealthBook(), 1_800_000_000.0
    for ok in outcomes:
        now += 30.0
        book.record(A, None if ok else errors.ServerError(), now)
    room = book.room("provider:p")

    assert 1 <= room <= 3
    if book.check(A, now) is None and not any(rest.scope == "provider:p" for rest in book.resting(now)):
        for _ in range(room):
            book.record(A, errors.ServerError(), now)
        assert book.check(A, now) is not None

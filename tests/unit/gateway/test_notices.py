"""One line when another model steps in, one when the first is back, nothing in between."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bot.gateway import notices
from providers.types import Attempt, Route

NOW = 1_800_000_000.0
A, B, C = Route("a", "big"), Route("b", "small"), Route("c", "tiny")


def failed(route: Route, error: str = "ServerError", **about: object) -> Attempt:
    return Attempt(route, error=error, **about)  # type: ignore[arg-type] # the test's own words


def answered(route: Route) -> Attempt:
    return Attempt(route)


def test_nothing_is_said_while_the_first_answers() -> None:
    assert notices.decide([(answered(A),)], {}, NOW) == ("", {})


def test_a_fallback_is_told_with_who_failed_why_and_who_answers() -> None:
    line, shown = notices.decide(
        [(failed(A, "Denied", detail="HTTP 401: no such key"), answered(B))], {}, NOW
    )
    assert line == "⚠️ a/big refused the key (HTTP 401: no such key); b/small answers instead."
    assert shown == {"route": "a/big", "error": "Denied"}


def test_brackets_in_what_a_server_says_stand_within_ours() -> None:
    line, _ = notices.decide([(failed(A, "TooLong", detail="request (9 tokens)"), answered(B))], {}, NOW)
    assert "a/big can't take a conversation this long (request [9 tokens]); b/small answers instead." in line


def test_the_time_of_return_is_told_where_it_is_known() -> None:
    line, _ = notices.decide([(failed(A, "RateLimited", until=NOW + 600), answered(B))], {}, NOW)
    assert f"a/big is rate-limited until {notices.clock(NOW + 600, NOW)};" in line


def test_what_happened_once_does_not_last_until_then_but_its_rest_does() -> None:
    line, _ = notices.decide([(failed(A, "CutStream", until=NOW + 600), answered(B))], {}, NOW)
    assert f"a/big broke off its answer and rests until {notices.clock(NOW + 600, NOW)};" in line


def test_all_that_failed_are_named_in_one_line() -> None:
    line, _ = notices.decide([(failed(A), failed(B, "Unreachable"), answered(C))], {}, NOW)
    assert line == "⚠️ a/big has a server error, b/small can't be reached; c/tiny answers instead."


def test_it_is_told_once_and_the_return_once() -> None:
    path = (failed(A), answered(B))
    _, shown = notices.decide([path], {}, NOW)
    assert notices.decide([path], shown, NOW) == ("", shown)
    line, shown = notices.decide([(answered(A),)], shown, NOW)
    assert (line, shown) == ("✅ a/big is back.", {})
    assert notices.decide([(answered(A),)], shown, NOW) == ("", {})


def test_a_retry_that_succeeded_is_nobodys_business() -> None:
    assert notices.decide([(failed(A), answered(A))], {}, NOW) == ("", {})


def test_the_failure_counts_and_not_the_rest_that_followed_it_in_the_same_turn() -> None:
    first = (failed(A, "OutOfMoney", detail="no credit"), answered(B))
    second = (failed(A, "OutOfMoney", called=False), answered(B))
    line, _ = notices.decide([first, second], {}, NOW)
    assert "(no credit)" in line


def test_other_things_shown_are_kept() -> None:
    _, shown = notices.decide([(failed(A), answered(B))], {"tiny": True}, NOW)
    assert shown == {"tiny": True, "route": "a/big", "error": "ServerError"}
    assert notices.decide([(answered(A),)], shown, NOW)[1] == {"tiny": True}


def test_an_answer_of_a_model_chosen_meanwhile_is_no_return_of_the_one_that_failed() -> None:
    _, shown = notices.decide([(failed(A), answered(B))], {}, NOW)
    line, later = notices.decide([(answered(B),)], shown, NOW)
    assert (line, later) == ("", shown)
    assert notices.decide([(answered(A),)], shown, NOW) == ("✅ a/big is back.", {})


@given(st.lists(st.booleans(), max_size=40))
def test_lines_alternate_whatever_happens(works: list[bool]) -> None:
    shown: notices.Shown = {}
    said = []
    for up in works:
        line, shown = notices.decide([(answered(A),) if up else (failed(A), answered(B))], shown, NOW)
        said += [line[0]] if line else []
    assert said == [("⚠️", "✅")[n % 2][0] for n in range(len(said))]
    assert len(said) == sum(a != b for a, b in zip([True, *works], works, strict=False))


def test_long_words_of_the_provider_are_left_out_where_its_return_is_known() -> None:
    gone = failed(A, "RateLimited", until=NOW + 600, detail="Rate limit reached for organization org_1 …")
    line, _ = notices.decide([(gone, answered(B))], {}, NOW)
    assert line == f"⚠️ a/big is rate-limited until {notices.clock(NOW + 600, NOW)}; b/small answers instead."


def well(*routes: str) -> Callable[[str], bool]:
    return lambda route: route in routes


def told(attempt: Attempt) -> notices.Shown:
    return notices.decide([(attempt, answered(B))], {}, NOW)[1]


def test_what_was_told_is_taken_back_once_the_route_is_well() -> None:
    shown = told(failed(A, "Unreachable"))
    assert notices.told_of(shown) == ["a/big"]
    assert notices.recovered(shown, well(), NOW) == ("", shown)
    line, left = notices.recovered({**shown, "tiny": True}, well("a/big"), NOW)
    assert (line, left) == ("✅ a/big is back.", {"tiny": True})
    assert notices.recovered(left, well("a/big"), NOW) == ("", left)
    assert notices.decide([(answered(A),)], left, NOW) == ("", left), "the next turn does not repeat it"


def test_a_failure_of_the_request_is_not_over_because_the_model_is_well() -> None:
    for error in ("TooLong", "OverLimit", "CostsMoney"):
        shown = told(failed(A, error))
        assert notices.recovered(shown, well("a/big"), NOW) == ("", shown)


def test_a_time_that_was_told_is_waited_for() -> None:
    shown = told(failed(A, "RateLimited", until=NOW + 600, called=False))
    assert notices.recovered(shown, well("a/big"), NOW + 599) == ("", shown)
    assert notices.recovered(shown, well("a/big"), NOW + 600)[0] == "✅ a/big is back."


def test_what_needed_its_owner_may_be_over_sooner() -> None:
    shown = told(failed(A, "Denied", until=NOW + 600, needs_owner=True))
    assert notices.recovered(shown, well("a/big"), NOW + 1)[0] == "✅ a/big is back."


def test_where_nobody_was_left_the_first_that_is_back_is_told_of() -> None:
    path = (failed(A, "Unreachable"), failed(B, "ServerError"), failed(C, "TooLong"))
    shown = notices.lost([path], {})
    assert notices.told_of(shown) == ["a/big", "b/small"]
    assert notices.recovered(shown, well("b/small", "c/tiny"), NOW) == ("✅ b/small is back.", {})
    assert notices.lost([(failed(C, "TooLong"),)], {}) == {}


def test_an_answer_ends_what_was_said_of_nobody_being_left() -> None:
    shown = notices.lost([(failed(A), failed(B))], {})
    assert notices.decide([(answered(A),)], shown, NOW) == ("", {})
    line, after = notices.decide([(failed(A), answered(B))], shown, NOW)
    assert line.startswith("⚠️ a/big")
    assert "none" not in after


def test_one_line_takes_back_both() -> None:
    shown = notices.lost([(failed(A), failed(B))], told(failed(A)))
    assert notices.recovered(shown, well("b/small"), NOW) == ("✅ b/small is back.", told(failed(A)))
    assert notices.recovered(shown, well("a/big", "b/small"), NOW) == ("✅ a/big is back.", {})

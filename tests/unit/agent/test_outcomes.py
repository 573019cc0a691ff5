"""What a user reads at a turn's end, and what of it a model later takes for its own words."""

from __future__ import annotations

import pytest

from bot.agent.outcomes import (
    Answered,
    Failed,
    NoModelLeft,
    Outcome,
    OutOfSteps,
    OutOfTime,
    SpentUp,
    Stopped,
    Told,
    say,
    words,
)
from providers.types import Attempt, Route

NOW = 1_800_000_000.0
A, B = Route("a", "big"), Route("b", "small")


@pytest.mark.parametrize(
    ("outcome", "own"),
    [
        (Answered("Hi", cut=True), "Hi"),
        (Told("Put the key there"), "Put the key there"),
        (Stopped("Once upon"), "Once upon"),
        (Stopped(), ""),
        (OutOfTime(60, "Once"), "Once"),
        (OutOfSteps(30), ""),
        (SpentUp("$0.45 of $0.50", "A part of it."), ""),
        (Failed(), ""),
        (NoModelLeft((), None), ""),
    ],
)
def test_only_what_was_said_stands_in_the_conversation(outcome: Outcome, own: str) -> None:
    assert words(outcome) == own
    assert own in say(outcome, NOW)
    assert say(outcome, NOW).strip()


def test_whoever_chose_the_model_reads_how_to_let_others_answer() -> None:
    limited = (Attempt(B, "RateLimited", until=NOW + 600),)
    assert "/model auto" in say(NoModelLeft(limited, NOW + 600, chosen=True), NOW).splitlines()[-1]
    assert "/model auto" not in say(NoModelLeft(limited, NOW + 600), NOW)


def test_models_of_one_provider_that_fared_alike_are_one_line() -> None:
    path = tuple(Attempt(Route("a", name), "Unreachable") for name in ("x", "y", "z"))
    text = say(
        NoModelLeft((*path, Attempt(B, "Unreachable"), Attempt(Route("b", "other"), "Unreachable")), None),
        NOW,
    )
    assert text.splitlines()[1:] == [
        "- a/x can't be reached (likewise 2 more of a)",
        "- b/small can't be reached (likewise b/other)",
    ]


def test_models_of_one_provider_that_fared_differently_keep_their_lines() -> None:
    text = say(
        NoModelLeft((Attempt(A, "Unreachable"), Attempt(Route("a", "other"), "Overloaded")), None), NOW
    )
    assert len(text.splitlines()) == 3


def test_what_waits_for_a_person_is_not_promised_to_come_back_by_itself() -> None:
    denied = Attempt(A, "Denied", needs_owner=True, until=NOW + 600)
    limited = Attempt(B, "RateLimited", until=NOW + 600)
    assert "may be back" not in say(NoModelLeft((denied,), NOW + 600), NOW)
    assert "may be back at" in say(NoModelLeft((denied, limited), NOW + 600), NOW)

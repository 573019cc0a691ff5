"""Which failures of tools are told in every prompt: what holds of this machine, and nothing of anybody."""

from __future__ import annotations

import pytest

from bot.memory.learning import lesson, told
from bot.safety.rules import Act, Trust

OWN = Trust.OWN


def test_what_a_call_was_given_is_left_out() -> None:
    one = lesson(
        Act.LOOK, OWN, {"path": "diary/anna.md"}, "diary/anna.md does not exist; files_list shows what does."
    )
    assert one == "… does not exist; files_list shows what does."
    assert one == lesson(Act.LOOK, OWN, {"path": "b.md"}, "b.md does not exist; files_list shows what does.")


def test_values_are_found_wherever_they_stand() -> None:
    given = {"paths": ["a/b", "a/b/c"], "deep": {"words": "it's"}, "n": 4}
    assert lesson(Act.RUN, OWN, given, 'a/b/c, a/b and "it\'s" failed') == "…, … and … failed"


@pytest.mark.parametrize(
    "act",
    [Act.FETCH, Act.FETCH_OTHER, Act.NOTE, Act.REMEMBER, Act.REMIND, Act.SEND, Act.SEND_OTHERS, Act.DELEGATE],
)
def test_what_concerns_a_person_or_a_page_teaches_nothing(act: Act) -> None:
    assert lesson(act, OWN, {}, "No such rule is pinned; there are: be kind.") == ""


def test_text_from_outside_teaches_nothing() -> None:
    assert lesson(Act.LOOK, Trust.UNTRUSTED, {}, "x does not exist") == ""


@pytest.mark.parametrize("failure", ["", "  ", "\n", "a.md.", "'a.md': "])
def test_a_failure_that_says_nothing_is_none(failure: str) -> None:
    assert lesson(Act.LOOK, OWN, {"path": "a.md"}, failure) == ""


def test_it_is_one_line_and_short() -> None:
    assert lesson(Act.RUN, OWN, {}, "one\ntwo") == "one"
    assert len(lesson(Act.RUN, OWN, {}, "x" * 999)) == 200


def test_the_prompt_names_the_tool() -> None:
    assert told([("shell", "was stopped")]).endswith("- shell: was stopped")
    assert told([]) == ""

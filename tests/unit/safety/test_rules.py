"""The rules: what is allowed, asked and refused, on whose words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.safety.rules import READING, UNDOABLE, Act, Role, Situation, Trust, Verdict, decide, worst
from bot.safety.words import stands_in

SITUATIONS = st.builds(
    Situation,
    st.sampled_from(Role),
    st.sampled_from(Trust),
    st.sampled_from(["strong", "capable", "weak"]),
    st.booleans(),
)


@pytest.mark.parametrize("act", [act for act in Act if act not in (Act.RUN_BARE, Act.SEND_OTHERS)])
def test_the_owners_own_words_to_a_strong_model_need_no_question(act: Act) -> None:
    assert decide(Situation(), act).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "act", [Act.LOOK, Act.FETCH, Act.SEARCH, Act.CREATE, Act.REMIND, Act.DELEGATE, Act.RUN]
)
def test_reading_a_page_writing_a_summary_and_a_reminder_need_none_either(act: Act) -> None:
    assert decide(Situation(trust=Trust.UNTRUSTED, tier="capable"), act).verdict is Verdict.ALLOW


@given(SITUATIONS, st.sampled_from(Act))
def test_untrusted_text_never_gets_what_cannot_be_undone(situation: Situation, act: Act) -> None:
    decision = decide(situation, act)

    if situation.trust is Trust.UNTRUSTED and act not in UNDOABLE:
        assert decision.verdict is not Verdict.ALLOW
    if situation.trust is Trust.UNTRUSTED and situation.tier == "weak" and act not in READING:
        assert decision.verdict is Verdict.REFUSE


@given(SITUATIONS, st.sampled_from(Act))
def test_whatever_is_not_allowed_has_a_reason(situation: Situation, act: Act) -> None:
    decision = decide(situation, act)

    assert (decision.verdict is Verdict.ALLOW) == (decision.reason == "")


@given(SITUATIONS, st.sampled_from(Act))
def test_less_trust_never_allows_more(situation: Situation, act: Act) -> None:
    order = [Verdict.ALLOW, Verdict.ASK, Verdict.REFUSE]
    trusted = Situation(situation.role, Trust.OWN, situation.tier, situation.private)
    untrusted = Situation(situation.role, Trust.UNTRUSTED, situation.tier, situation.private)

    assert order.index(decide(trusted, act).verdict) <= order.index(decide(untrusted, act).verdict)


def test_one_untrusted_part_makes_the_whole_untrusted() -> None:
    assert worst() is Trust.OWN
    assert worst(Trust.OWN, Trust.UNTRUSTED, Trust.OWN) is Trust.UNTRUSTED


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("see https://example.org/a.", True),
        ("(https://example.org/a)", True),
        ("https://example.org/a", True),
        ("https://example.org/a?leak=1", False),
        ("https://example.org/ab", False),
        ("https://example.org/a/b", False),
        ("https://example.org/a.evil", False),
        ("xhttps://example.org/a", False),
        ("", False),
    ],
)
def test_an_address_stands_in_a_text_only_as_a_whole(text: str, stands: bool) -> None:
    assert stands_in("https://example.org/a", [text]) is stands

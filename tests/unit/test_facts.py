"""The file of facts under changes: what a person wrote stays, nothing much is lost at once."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.memory.facts import Change, apply, matching, parse, within
from bot.memory.reflection import Seen, Unusable, portion, proposals

FILE = """# What I know about Ann

Ann wrote this herself.
- Likes tea. <!-- 2026-11-01, telegram; observation 3 -->
* Lives in Rome
- Has a dog
- Works at night
"""
WORDS = st.text("abcdefgh ", min_size=1, max_size=20).map(str.strip).filter(bool)
CHANGES = st.lists(
    st.builds(Change, st.sampled_from(["add", "change", "drop"]), WORDS, WORDS, WORDS), max_size=12
)


def test_facts_are_read_with_their_sources() -> None:
    assert [(fact.text, fact.source) for fact in parse(FILE)] == [
        ("Likes tea.", "2026-11-01, telegram; observation 3"),
        ("Lives in Rome", ""),
        ("Has a dog", ""),
        ("Works at night", ""),
    ]


def test_a_fact_is_added_changed_and_dropped_and_the_rest_stays() -> None:
    added = apply(FILE, [Change("add", new="Has a cat.", source="2026-11-22")], "x")
    assert added.text == f"{FILE}- Has a cat. <!-- 2026-11-22 -->\n"
    changed = apply(FILE, [Change("change", old="lives in  rome.", new="Lives in Oslo", source="s")], "x")
    assert "- Lives in Oslo <!-- s -->" in changed.text
    assert "Rome" not in changed.text
    assert "Ann wrote this herself." in changed.text
    assert "dog" not in apply(FILE, [Change("drop", old="Has a dog")], "x").text


def test_no_more_than_a_quarter_is_lost_at_once() -> None:
    drops = [Change("drop", old=fact.text) for fact in parse(FILE)]
    applied = apply(FILE, drops, "x")
    assert len(applied.done) == 1
    assert len(parse(applied.text)) == 3
    assert "at once" in applied.left_out[0]


@pytest.mark.parametrize(
    "new",
    ["", " ", "x" * 301, "a\nb", "a\u2028- b", "a\rb", "a <!-- b", "Likes  TEA", "\0"],
    ids=["empty", "blank", "long", "lines", "separators", "returns", "comment", "known", "zero"],
)
def test_what_is_no_new_fact_is_left_out(new: str) -> None:
    applied = apply(FILE, [Change("add", new=new)], "x")
    assert (applied.text, applied.done) == (FILE, ())
    assert len(applied.left_out) == 1


def test_the_first_fact_makes_the_file() -> None:
    assert apply("", [Change("add", new="Likes tea")], "What I know about Ann").text == (
        "# What I know about Ann\n\n- Likes tea\n"
    )


@given(st.lists(WORDS, max_size=20, unique=True), CHANGES)
def test_at_least_three_quarters_stay_whatever_is_proposed(texts: list[str], changes: list[Change]) -> None:
    before = "own words\n" + "".join(f"- {text}\n" for text in texts)
    applied = apply(before, changes, "x")
    kept = {fact.text for fact in parse(applied.text)}
    lost = sum(fact.text not in kept for fact in parse(before))
    assert lost <= max(1, len(parse(before)) // 4)
    assert "own words" in applied.text
    assert len(applied.done) + len(applied.left_out) == len(changes)


def test_facts_are_found_by_their_words() -> None:
    assert [fact.text for fact in matching(FILE, "DOG has")] == ["Has a dog"]
    assert matching(FILE, "") == []


def test_a_word_is_not_found_within_another() -> None:
    file = (
        "- The team meets\n- Likes tea\n- Lebt in M\u00fcnchen\n- \u559c\u6b22\u559d\u8336\n- Born in 1980\n"
    )
    assert [fact.text for fact in matching(file, "tea")] == ["Likes tea"]
    assert [fact.text for fact in matching(file, "M\u0055\u0308NCHEN lebt")] == ["Lebt in M\u00fcnchen"]
    assert [fact.line for fact in matching(file, "\u8336")] == [3]
    assert [fact.line for fact in matching(file, "1980")] == [4]


def test_a_fact_that_stands_there_twice_is_dropped_and_changed_as_one() -> None:
    twice = "- Has a dog\n- Likes tea\n- has a  dog.\n"
    assert apply(twice, [Change("drop", old="Has a dog")], "x").text == "- Likes tea\n"
    assert (
        apply(twice, [Change("change", old="Has a dog", new="Has a cat")], "x").text
        == "- Has a cat\n- Likes tea\n"
    )


def test_the_newest_that_fits_goes_into_a_prompt_without_sources() -> None:
    assert within(FILE, 1000).splitlines()[1] == "- Likes tea."
    assert within(FILE, 30) == "(older ones are in the file)\n- Has a dog\n- Works at night"
    assert within("# Heading\n\n", 100) == ""


SEEN = [Seen(7, 1_790_000_000.0, "telegram:1", "Person: I moved to Oslo")]


def test_a_reply_becomes_changes_with_their_source() -> None:
    reply = (
        'Here you are:\n```json\n[{"kind": "change", "old": "- Lives in Rome", "new": "Lives in Oslo"}]\n```'
    )
    (change,) = proposals(reply, SEEN)
    assert (change.old, change.new) == ("Lives in Rome", "Lives in Oslo")
    assert "telegram; observation 7" in change.source
    assert proposals("[]", SEEN) == []


def test_a_change_names_the_conversations_it_is_from() -> None:
    seen = [*SEEN, Seen(9, 1_790_100_000.0, "terminal:main", "Person: I have a dog")]
    reply = '[{"kind": "add", "new": "Has a dog", "from": [9]}, {"kind": "add", "new": "b", "from": ["x"]}]'
    dog, other = proposals(reply, seen)
    assert dog.source.endswith(", terminal; observation 9")
    assert other.source.endswith("observation 7, 9")


def test_a_model_may_think_aloud_before_its_list() -> None:
    reply = (
        '<think>[Hm], none would be []. {"a": [1]}</think> [{"kind": "add", "new": "Likes tea"}] That is all.'
    )
    assert [change.new for change in proposals(reply, SEEN)] == ["Likes tea"]
    many = json.dumps([{"kind": "add", "new": f"Fact {number}"} for number in range(60)])
    assert len(proposals(many, SEEN)) == 40


@pytest.mark.parametrize(
    "reply", ["", "nothing to do", "[1, 2]", '[{"kind": "burn"}]', "[{]", '{"kind": "add"}']
)
def test_a_bad_reply_is_told_from_none(reply: str) -> None:
    with pytest.raises(Unusable):
        proposals(reply, SEEN)


@given(st.text())
def test_no_reply_makes_it_fail_in_another_way(reply: str) -> None:
    with suppress(Unusable):
        proposals(reply, SEEN)


def test_a_question_holds_so_much_and_at_least_one() -> None:
    long = [Seen(n, 0.0, "s", "x" * 10_000) for n in range(5)]
    assert len(portion(long)) == 2
    assert len(portion([Seen(1, 0.0, "s", "x" * 100_000)])) == 1


@pytest.mark.parametrize("odd", ["<!--", "-->", " ", "<!-- x --> "])
def test_no_line_takes_longer_than_its_length(odd: str) -> None:
    line = f"- seen{odd * 50_000}end"
    began = time.process_time()
    (fact,) = parse(line)
    assert time.process_time() - began < 1
    assert fact.text == line[2:]

"""What of Markdown is said aloud."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.voice.speakable import speakable

CASES = {
    "Good **morning**, *Anna*": "Good morning, Anna.",
    "# Plan\n\n- milk\n- `bread`!\n  - white": "Plan. milk. bread! white.",
    "see [the page](https://a.org/x) or https://www.b.org/y?z=1": "see the page or b.org.",
    "Run this:\n\n```sh\nrm -rf /\n```\n\nThen wait.": "Run this: Then wait.",
    "| day | rain |\n|---|---|\n| Monday | 3 mm |\n| Tuesday | none |": "Monday, 3 mm. Tuesday, none.",
    "> quoted\n> twice\n\nanswer 👍🏽 ✅": "quoted twice. answer.",
    "one\ntwo\\\nthree": "one two three.",
    "---": "",
    "```\nonly code\n```": "",
    "": "",
    "At 9:30, 20 € — done…": "At 9:30, 20 € — done…",
}


@pytest.mark.parametrize("markdown", CASES)
def test_only_what_can_be_said_is_left(markdown: str) -> None:
    assert speakable(markdown) == CASES[markdown]


def test_a_long_text_ends_with_a_sentence() -> None:
    assert speakable("One two three. Four five six. Seven eight.", 32) == "One two three. Four five six."


def test_a_sentence_without_end_is_cut_between_words() -> None:
    assert speakable("word " * 100, 23) == "word word word word"


@given(st.text(max_size=300), st.integers(5, 80))
def test_it_is_one_line_of_no_more_than_asked(markdown: str, most: int) -> None:
    said = speakable(markdown, most)

    assert len(said) <= most
    assert said.splitlines() in ([], [said])

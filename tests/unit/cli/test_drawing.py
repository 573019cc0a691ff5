"""Text for a person's eye: Markdown on a terminal, plain elsewhere, and the end of an answer that still grows."""

from __future__ import annotations

from io import StringIO
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot.cli.output import Sketch, harmless, markdown, print_answer, tail


class FakeTerminal(StringIO):
    def isatty(self) -> bool:
        return True


def drawn(text: str, width: int = 60) -> list[str]:
    page = StringIO()
    Console(file=page, width=width).print(markdown(text))
    return [line.rstrip() for line in page.getvalue().splitlines()]


def test_elsewhere_markdown_stays_as_it_is() -> None:
    page = StringIO()
    print_answer("**bold**\n\n- a", page)

    assert page.getvalue() == "**bold**\n\n- a\n"


def test_on_a_terminal_it_is_drawn() -> None:
    page = FakeTerminal()
    print_answer("some **bold** words", page)

    assert "some " in page.getvalue()
    assert "**" not in page.getvalue()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    page = FakeTerminal()
    print_answer("`code` and [link](https://example.org)", page)

    assert "\x1b[3" not in page.getvalue()


def test_new_lines_are_kept_and_addresses_shown() -> None:
    assert drawn("one\ntwo") == ["one", "two"]
    assert "https://example.org" in " ".join(drawn("[words](https://example.org)"))


def test_code_keeps_its_lines() -> None:
    shown = dedent("\n".join(drawn("```python\nif x:\n    y()\n```")))

    assert shown.split("\n") == ["", "if x:", "    y()", ""]


@given(st.text())
def test_nothing_that_steers_a_terminal_gets_through(text: str) -> None:
    shown = harmless(text)

    assert all(letter in "\t\n" or letter.isprintable() or ord(letter) >= 160 for letter in shown)
    assert [c for c in shown if c.isprintable()] == [c for c in text if c.isprintable()]


def test_a_short_text_is_its_own_tail() -> None:
    assert tail("a\n\nb", 100) == "a\n\nb"


def test_a_long_text_is_cut_between_paragraphs() -> None:
    text = "\n\n".join(f"Paragraph {number}." for number in range(100))

    assert tail(text, 40) == "Paragraph 98.\n\nParagraph 99."


def test_a_code_block_that_was_cut_is_opened_again() -> None:
    text = "```python\n" + "\n".join(f"line({number})" for number in range(100))

    assert tail(text, 25) == "```\nline(98)\nline(99)"


@given(st.text(alphabet="ab`\n ", max_size=200), st.integers(1, 100))
def test_a_tail_is_the_end_and_not_longer_than_wanted(text: str, most: int) -> None:
    end = tail(text, most)
    shown = end if len(end) <= most else end.removeprefix("```\n")

    assert text.endswith(shown)
    assert len(shown) <= most


def test_a_sketch_fits_the_window_and_shows_the_end() -> None:
    sketch = Sketch(Console(file=StringIO()), lambda: (40, 10))
    text = "\n\n".join(f"Paragraph {number}." for number in range(50))

    lines = sketch.draw(text, 4).split("\n")

    assert len(lines) == 6
    assert "Paragraph 49." in lines[-1]


def test_a_sketch_of_nothing_is_nothing() -> None:
    assert Sketch(Console(file=StringIO()), lambda: (40, 10)).draw("", 4) == ""


def test_a_sketch_follows_the_window() -> None:
    size = [40, 10]
    sketch = Sketch(Console(file=StringIO()), lambda: (size[0], size[1]))
    text = "\n".join(f"line {number}" for number in range(50))
    before = sketch.draw(text, 4)
    size[1] = 20

    assert len(before.split("\n")) == 6
    assert len(sketch.draw(text, 4).split("\n")) == 16

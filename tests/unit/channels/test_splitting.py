"""Where long texts are cut, and what the pieces look like."""

from __future__ import annotations

import pytest

from channels.markup import Mark, Style, parse, visible
from channels.split import split

LINE = "word " * 9 + "word."


def test_nothing_visible_gives_no_piece() -> None:
    assert split("", 100) == []
    assert split(" \n\n ", 100) == []
    assert split("[ref]: https://e.org", 100) == []


def test_a_text_that_fits_is_one_piece() -> None:
    assert split("  **Hello**\n\nyou \n", 100) == ["  **Hello**\n\nyou"]


def test_paragraphs_stay_whole_where_they_can() -> None:
    assert split(f"{LINE}\n\n{LINE}\n\n{LINE}", 110) == [f"{LINE}\n\n{LINE}", LINE]


def test_list_items_stay_whole_where_they_can() -> None:
    items = [f"- {LINE}", f"- {LINE}\n  {LINE}", f"- {LINE}"]

    assert split("\n".join(items), 110) == [items[0], items[1], items[2]]


def test_lines_then_sentences_then_words() -> None:
    assert split("\n".join([LINE] * 4), 110) == [f"{LINE}\n{LINE}"] * 2
    assert split(" ".join([LINE] * 4), 110) == [f"{LINE} {LINE}"] * 2
    assert split("word " * 40, 103) == [("word " * 20).strip()] * 2


def test_a_word_longer_than_a_piece_is_cut() -> None:
    assert split("x" * 250, 100) == ["x" * 100, "x" * 100, "x" * 50]


def test_a_cut_avoids_links_and_bold_text() -> None:
    text = "word " * 15 + "[a long label of a link](https://e.org/) and more"

    assert split(text, 100) == [("word " * 15).strip(), "[a long label of a link](https://e.org/) and more"]


def test_links_whose_addresses_stand_at_the_end_lead_there_from_every_piece() -> None:
    said = f"{LINE} See [the *plan*][a], [The Costs] and [b][], not `x[a]` or \\[a]."
    code = "```\nlist[a]\n```"
    ends = "[A]: https://e.org/plan\n[the costs]: <https://e.org/costs> 'All'\n[b]: https://e.org/b\n"

    pieces = split(f"{said}\n\n{code}\n\n{said}\n\n{ends}", 220)

    events = [event for piece in pieces for event in parse(piece)]
    opened = [one.detail for one in events if isinstance(one, Mark) and one.style is Style.LINK]
    assert len(pieces) > 1
    assert opened[::2] == ["https://e.org/plan", "https://e.org/costs", "https://e.org/b"] * 2
    assert [visible(parse(piece)).count("[a]") for piece in pieces] == [3, 2]


def test_a_note_below_a_long_text_is_no_address() -> None:
    text = f"{LINE} [1]\n\n{LINE}\n\n[1]: Smith and others, 2020"

    assert "\n\n".join(split(text, 100)) == text


def test_a_heading_stays_with_what_follows() -> None:
    text = f"{LINE}\n\n## Title\n\n{LINE}"

    assert split(text, 70) == [LINE, f"## Title\n\n{LINE}"]


def test_a_code_block_that_fits_into_a_piece_is_not_cut() -> None:
    block = "```py\n" + "x = 1\n" * 10 + "```"

    assert split(f"{LINE}\n\n{block}", 100) == [LINE, block]


def test_a_long_code_block_is_closed_and_opened_again() -> None:
    lines = [f"line_{number:02} = {number}" for number in range(20)]

    pieces = split("```python\n" + "\n".join(lines) + "\n```\nThat's it.", 150)

    assert len(pieces) == 2
    assert all(piece.startswith("```python\n") for piece in pieces)
    assert pieces[0].endswith("\n```")
    assert pieces[-1].endswith("\n```\nThat's it.")
    assert [line for piece in pieces for line in piece.split("\n") if "=" in line] == lines


def test_a_code_block_in_a_list_is_closed_and_opened_again() -> None:
    code = "".join(f"    line {number:02}\n" for number in range(20))

    first, second, *_ = split(f"1. do\n\n    ```sh\n{code}    ```\n2. look", 150)

    assert first.startswith("1. do\n\n    ```sh\n    line 00\n")
    assert first.endswith("\n    ```")
    assert second.startswith("```sh\nline ")


def test_a_code_block_in_a_quotation_is_closed_and_opened_again() -> None:
    code = "".join(f"> line {number:02}\n" for number in range(20))

    first, second, *_ = split(f"> ```sh\n{code}> ```", 150)

    assert first.endswith("\n> ```")
    assert second.startswith("> ```sh\n> line ")


def test_the_rest_of_a_nested_list_does_not_turn_into_code() -> None:
    items = "".join(f"    - nested item {number:02}\n" for number in range(12))

    _, second, *_ = split(f"- top\n{items}- last", 150)

    assert second.startswith("- nested item ")
    assert "\n- nested item " in second


def test_a_cut_table_repeats_its_head() -> None:
    rows = "".join(f"| {number:02} | value |\n" for number in range(20))

    pieces = split(f"| id | text |\n|---|---|\n{rows}", 200)

    assert len(pieces) > 1
    assert all(piece.startswith("| id | text |\n|---|---|\n| ") for piece in pieces)


def test_what_grows_in_rendering_counts() -> None:
    table = f"| {'w' * 50} |\n|--:|\n" + "| x |\n" * 20

    pieces = split(table, 400)

    assert len(table) < 400
    assert 3 <= len(pieces) <= 6
    assert all(len(visible(parse(piece))) <= 400 for piece in pieces)


def test_limits_count_utf16_units() -> None:
    assert split("🚀" * 60, 100) == ["🚀" * 50, "🚀" * 10]


@pytest.mark.parametrize("whole", ["👩‍👩‍👧", "🇩🇪", "👍🏽", "e\u0301", "\u2764\ufe0f"])
def test_no_character_is_torn(whole: str) -> None:
    for shift in range(12):
        pieces = split("x" * shift + whole * 40, 64)
        assert "".join(pieces) == "x" * shift + whole * 40
        assert all(piece.removeprefix("x" * shift).replace(whole, "") == "" for piece in pieces)

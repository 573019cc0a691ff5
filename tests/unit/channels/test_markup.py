"""How Markdown looks in Telegram and as plain text."""

from __future__ import annotations

import pytest

from channels.markup import parse, plain, telegram_html, utf16_units, visible, well_formed


def html(markdown: str) -> str:
    return telegram_html(parse(markdown))


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("**bold** and __bold__", "<b>bold</b> and <b>bold</b>"),
        ("*italic* _italic_", "<i>italic</i> <i>italic</i>"),
        ("~~gone~~", "<s>gone</s>"),
        ("`a < b`", "<code>a &lt; b</code>"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2<i>3</i>4"),
        ("**bold *both* `code`**", "<b>bold <i>both</i> <code>code</code></b>"),
        (r"\*not italic\*", "*not italic*"),
        ("**not closed", "**not closed"),
        ('<script>alert("x")</script> & co', '&lt;script&gt;alert("x")&lt;/script&gt; &amp; co'),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("&copy; &lt;b&gt;", "© &lt;b&gt;"),
    ],
)
def test_inline_styles(markdown: str, expected: str) -> None:
    assert html(markdown) == expected


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[label](https://e.org/?a=1&b=2)", '<a href="https://e.org/?a=1&amp;b=2">label</a>'),
        ('[q](https://e.org/"x")', '<a href="https://e.org/%22x%22">q</a>'),
        ("<https://e.org/>", "https://e.org/"),
        ("<me@e.org>", "me@e.org"),
        ("[file](notes/today.md)", "file (notes/today.md)"),
        ("so[](https://e.org/a)", "so (https://e.org/a)"),
        ("[![build](https://e.org/b.svg)](https://e.org/)", '<a href="https://e.org/">build</a>'),
        ("[![](https://e.org/b.svg)](https://e.org/)", "https://e.org/b.svg (https://e.org/)"),
        ("[lamp](http://hub:8123/a_b?c=1&d)", "lamp (http://hub:8123/a_b?c=1&amp;d)"),
        ("[bad](javascript:alert(1))", "[bad](javascript:alert(1))"),
        ("![a chart](https://e.org/c.png)", '<a href="https://e.org/c.png">a chart</a>'),
        ("![](https://e.org/c.png)", "https://e.org/c.png"),
        ("[**bold** label](https://e.org/)", '<a href="https://e.org/"><b>bold</b> label</a>'),
    ],
)
def test_links_and_images(markdown: str, expected: str) -> None:
    assert html(markdown) == expected


def test_a_code_block_keeps_its_language_and_its_characters() -> None:
    markdown = '```python\nif a < b:\n    print("*x*")\n\n```'

    assert html(markdown) == (
        '<pre><code class="language-python">if a &lt; b:\n    print("*x*")\n</code></pre>'
    )


def test_a_code_block_without_a_language_or_an_end() -> None:
    assert html("before\n```\ncode\nmore") == "before\n<pre>code\nmore</pre>"


def test_a_language_can_not_break_out_of_its_attribute() -> None:
    assert html('```"><b>x\ncode\n```') == "<pre>code</pre>"


def test_headings_are_bold_lines() -> None:
    assert html("# Title with **bold**\ntext\n\nSub\n---\nmore") == (
        "<b>Title with bold</b>\ntext\n\n<b>Sub</b>\nmore"
    )


def test_lists_have_bullets_numbers_and_indentation() -> None:
    markdown = """
Here:
- one
  still one
- two
    1. first
    1. second
- [ ] open
- [x] done

7. seven

8. eight
"""

    assert (
        f"\n{html(markdown)}\n"
        == """
Here:
• one
  still one
• two
  1. first
  2. second
• ☐ open
• ☑ done

7. seven

8. eight
"""
    )


def test_a_code_block_in_a_list_is_not_indented() -> None:
    assert html("1. run\n   ```sh\n   ls\n   ```\n2. look") == (
        '1. run\n<pre><code class="language-sh">ls</code></pre>\n2. look'
    )


def test_quotations() -> None:
    assert html("> one\n> two\n\nafter") == "<blockquote>one\ntwo</blockquote>\n\nafter"
    assert html("> one\n>\n> > inner") == "<blockquote>one\n\n&gt; inner</blockquote>"
    assert html("- > in a list\n  > more") == "• &gt; in a list\n  &gt; more"


def test_a_narrow_table_is_aligned() -> None:
    assert html("| a | 数 |\n|---|---:|\n| 1 | **2** |\n| [l](https://e.org) |") == (
        "<pre>a                 │ 数\n──────────────────┼───\n1                 │  2\nl (https://e.org) │</pre>"
    )


def test_a_table_too_wide_for_a_phone_becomes_a_list_of_its_rows() -> None:
    wide = "very " * 12 + "wide"

    assert html(f"| Name | What | When |\n|---|---|---|\n| x | {wide} | *now* |\n| y | {wide} | |") == (
        f"<b>Name: x</b>\n• What: {wide}\n• When: <i>now</i>\n\n<b>Name: y</b>\n• What: {wide}\n• When: "
    )


def test_a_rule_is_a_line() -> None:
    assert html("a\n\n***\n\nb") == "a\n\n———\n\nb"


def test_blank_lines_are_kept_but_not_multiplied() -> None:
    assert html("a\nb\n\n\n\nc") == "a\nb\n\nc"


def test_plain_text_shows_where_links_lead() -> None:
    events = parse("**See** [here](https://e.org/a) or `there`")

    assert plain(events) == "See here (https://e.org/a) or there"
    assert visible(events) == "See here or there"


def test_surrogates_are_joined_and_lone_ones_replaced() -> None:
    assert well_formed("\ud83d\ude80 and \ud83d") == "🚀 and \ufffd"
    assert html("\ud83d") == "\ufffd"


def test_length_is_counted_as_telegram_counts() -> None:
    assert [utf16_units(text) for text in ("abc", "日本", "🚀", "👩‍👩‍👧", "\ud83d")] == [3, 2, 2, 8, 1]


@pytest.mark.parametrize("nested", ["> " * 400 + "x", "- " * 400 + "x", "[" * 3000, "*x " * 2000])
def test_deep_and_open_nesting_is_shown_as_it_stands(nested: str) -> None:
    assert "x" in visible(parse(nested + "x"))

"""Fields in YAML above a text: what they say, on which line, and why they can't be read."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.frontmatter import Malformed, parse


def test_fields_lines_and_the_text_below() -> None:
    sheet = parse("\ufeff---\r\nname: a\r\n\r\ntools: [b, c]\r\n---\r\n\r\n# Title\r\n---\r\nmore\r\n")

    assert sheet.fields == {"name": "a", "tools": ["b", "c"]}
    assert (sheet.line("name"), sheet.line("tools"), sheet.line("missing")) == (2, 4, 1)
    assert sheet.body == "# Title\n---\nmore"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("# only text", 1, "no front matter"),
        ("---\nname: a\n", 1, "no front matter"),
        ("---\na: 1\ndescription: when: asked\n---\n", 3, "put the value in quotes"),
        ("---\na: 1\nb: 2\na: 3\n---\n", 4, "a stands twice"),
        ("---\n- a\n---\n", 2, "no list of `name: value`"),
        ("---\na: &x [1, 2]\nb: *x\n---\n", 3, "alias"),
        ("---\na: 2024-13-45\n---\n", 1, "can't be read"),
        ("---\na: !!python/object/apply:os.system [ls]\n---\n", 2, "not valid YAML"),
        ("---\n? [a]\n: b\n---\n", 2, "not valid YAML"),
        ("---\na: " + "[" * 5000 + "\n---\n", 2, "not valid YAML"),
        ("---\na: " + "x" * 20_000 + "\n---\n", 1, "at most 16000"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(Malformed, match=says) as caught:
        parse(text)
    if "not valid" not in says:
        assert caught.value.line == line


@given(st.text(alphabet=st.sampled_from("---\n:[]{}&*!|>'\"#,? ab1\t\x07"), max_size=60))
@example("a: |\n  b")
def test_no_text_does_anything_but_parse_or_be_refused(head: str) -> None:
    refused = None
    try:
        assert all(isinstance(name, str) for name in parse(f"---\n{head}\n---\nbody").fields)
    except Malformed as error:
        refused = error
    assert refused is None or (refused.line >= 1 and "\n" not in str(refused))

"""The line of everything in a TOML document; the standard library's parser is the referee of what there is."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.config.locate import Loc, locate

TRICKY = '''
# a comment = "no key"
title = "a # b ] } = \\" [x]"
"quoted \\"key\\" \\u00e9" . 'lit#eral' = """one
[not.a.table]
two = 2 """""
raw = \'\'\'it''s
# no comment \'\'\'
list = [ # comment ]
  1, [2,
  "]"], {a.b = 3, "c" = [4]}, # }
]
when = 1979-05-27 07:32:00
[a]   # the table
x.y = -1_000
[ a . "b.c" ]
z = inf
[[fruit]]
name = 'apple'
[fruit.body]
colour = "red"
[[fruit.kinds]]
name = "gala"
[[fruit.kinds]]
name = "fuji"
[[fruit]]
[[fruit.kinds]]
name = "plantain"
'''


def places(value: Any, loc: Loc = ()) -> Iterator[tuple[Loc, Any]]:
    """Every place of a parsed document and what stands there."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, below in entries:
        yield (*loc, step), below
        yield from places(below, (*loc, step))


def test_every_place_of_a_tricky_document_is_found() -> None:
    where = locate(TRICKY)

    assert set(where) == {loc for loc, _ in places(tomllib.loads(TRICKY))}


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        (("title",), 3),
        (('quoted "key" é', "lit#eral"), 4),
        (("raw",), 7),
        (("list",), 9),
        (("list", 0), 10),
        (("list", 1), 10),
        (("list", 1, 1), 11),
        (("list", 2, "a", "b"), 11),
        (("list", 2, "c", 0), 11),
        (("when",), 13),
        (("a",), 14),
        (("a", "x", "y"), 15),
        (("a", "b.c", "z"), 17),
        (("fruit",), 18),
        (("fruit", 0, "body", "colour"), 21),
        (("fruit", 0, "kinds", 1), 24),
        (("fruit", 0, "kinds", 1, "name"), 25),
        (("fruit", 1), 26),
        (("fruit", 1, "kinds", 0, "name"), 28),
    ],
)
def test_the_line_is_where_it_stands(loc: Loc, line: int) -> None:
    assert locate(TRICKY)[loc] == line


def test_windows_line_ends_count_as_one() -> None:
    assert locate(TRICKY.replace("\n", "\r\n")) == locate(TRICKY)


def test_an_empty_document_holds_nothing() -> None:
    assert locate("") == {}
    assert locate("# only a comment") == {}


blanks = st.sampled_from(["", " ", "\t", "  "])
gaps = st.sampled_from(["", " ", "\n", " # ] } = ,\n", "\n\n\t"])
inner = st.text(st.sampled_from("ab#=[]{},.' "), max_size=6)
keys = st.one_of(
    st.sampled_from("abcdefgh"),
    st.sampled_from(["1", "a-b", "_"]),
    inner.map(lambda text: f'"{text}"'),
    st.text(st.sampled_from('ab#=[]{},." '), max_size=4).map(lambda text: f"'{text}'"),
)
strings = st.one_of(
    inner.map(lambda text: f'"{text}\\n\\""'),
    st.text(st.sampled_from('ab#=[]{},." \\'), max_size=6).map(lambda text: f"'{text}'"),
    st.text(st.sampled_from("ab#=[]{},.' \n"), max_size=6).map(lambda text: f'"""{text}"x\\""""'),
    st.text(st.sampled_from('ab#=[]{},." \n\\'), max_size=6).map(lambda text: f"'''{text}'x''''"),
    st.sampled_from(
        ["true", "1.5", "-inf", "0x1F", "1979-05-27 07:32:00", "07:32:00.5", '""', "''", '""""""']
    ),
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document of tables, arrays of tables and values in every notation; each number in it is a different one."""
    numbers = map(str, itertools.count(70_001))

    def dotted() -> str:
        return f"{draw(blanks)}.{draw(blanks)}".join(draw(st.lists(keys, min_size=1, max_size=3)))

    def pair(depth: int) -> str:
        return f"{dotted()}{draw(blanks)}={draw(blanks)}{value(depth)}"

    def value(depth: int) -> str:
        kind = draw(st.sampled_from(["number", "string", *(["array", "table"] if depth else [])]))
        if kind == "number":
            return next(numbers)
        if kind == "string":
            return draw(strings)
        if kind == "table":
            pairs = [f"{draw(blanks)}{pair(depth - 1)}{draw(blanks)}" for _ in range(draw(st.integers(0, 3)))]
            return "{" + ",".join(pairs) + "}"
        items = [f"{draw(gaps)}{value(depth - 1)}{draw(gaps)}" for _ in range(draw(st.integers(0, 3)))]
        return "[" + ",".join(items) + (draw(st.sampled_from(["", ","])) if items else "") + draw(gaps) + "]"

    lines = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["pair", "pair", "table", "element"]))
        if kind == "pair":
            lines.append(draw(blanks) + pair(2))
        elif kind == "table":
            lines.append(f"[{draw(blanks)}{dotted()}{draw(blanks)}]")
        else:
            lines.append(f"[[{draw(blanks)}{dotted()}{draw(blanks)}]]")
        lines[-1] += draw(st.sampled_from(["", " # comment = 1", "\n"]))
    return "\n".join(lines)


@given(documents())
def test_whatever_the_notation_every_place_is_found_on_its_line(text: str) -> None:
    try:
        parsed = dict(places(tomllib.loads(text)))
    except tomllib.TOMLDecodeError:
        assume(False)  # names collide
    where = locate(text)

    assert set(where) == set(parsed)
    lines = text.split("\n")
    for loc, value in parsed.items():
        if isinstance(value, int) and value > 70_000:
            assert str(value) in lines[where[loc] - 1]
        if len(loc) > 1:
            assert where[loc[:-1]] <= where[loc]

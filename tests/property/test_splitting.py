"""Whatever is split arrives: within the limit, in order, with nothing lost and every code block whole in itself."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it.token import Token

from channels.markup import parse, parser, utf16_units, visible
from channels.split import split

# Documents take their time to be made, the more so on a busy machine.
FEWER = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
LIMITS = st.integers(min_value=100, max_value=500)
WORD = st.text("abcdefghijklmnopqrstuvwxyzäöü日本0123456789", min_size=1, max_size=9).map(
    lambda word: f"x{word}"
)
SENTENCE = st.lists(WORD, min_size=1, max_size=12).map(" ".join)
STYLED = st.tuples(
    st.sampled_from(["{}", "**{}**", "*{}*", "`{}`", "~~{}~~", "[{}](https://e.org/)"]), SENTENCE
)
PARAGRAPH = st.lists(STYLED.map(lambda styled: styled[0].format(styled[1])), min_size=1, max_size=6).map(
    ". ".join
)
LANGUAGE = st.sampled_from(["", "python", "c++", "sh"])


def indented(text: str, lead: str) -> str:
    return "\n".join((lead + line).rstrip() for line in text.split("\n"))


@st.composite
def fences(draw: st.DrawFn) -> str:
    marker = draw(st.sampled_from(["```", "~~~", "````"]))
    lines = draw(st.lists(st.one_of(SENTENCE, st.just(""), SENTENCE.map(lambda s: f"    {s}")), max_size=12))
    return "\n".join([marker + draw(LANGUAGE), *lines, marker])


@st.composite
def tables(draw: st.DrawFn) -> str:
    columns = draw(st.integers(1, 3))
    cells = st.lists(st.lists(WORD, max_size=3).map(" ".join), min_size=columns, max_size=columns)
    rows = draw(st.lists(cells.map(lambda row: f"| {' | '.join(row)} |"), min_size=1, max_size=10))
    return "\n".join([rows[0], "|" + " --- |" * columns, *rows[1:]])


@st.composite
def lists_of(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(inner, min_size=1, max_size=5))
    numbered = draw(st.booleans())
    leads = [f"{number}. " if numbered else "- " for number in range(1, len(items) + 1)]
    gap = draw(st.sampled_from(["\n", "\n\n"]))
    return gap.join(
        lead + indented(item, " " * len(lead)).lstrip() for lead, item in zip(leads, items, strict=True)
    )


def documents(*leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    plain = st.one_of(PARAGRAPH, fences(), SENTENCE.map(lambda title: f"## {title}"), st.just("---"), *leaves)
    block = st.recursive(
        plain,
        lambda inner: st.one_of(
            lists_of(st.lists(inner, min_size=1, max_size=3).map("\n\n".join)),
            inner.map(lambda text: indented(text, "> ")),
        ),
        max_leaves=6,
    )
    return st.lists(block, min_size=1, max_size=6).map("\n\n".join)


DOCUMENT = documents(tables())


def letters(text: str) -> str:
    return "".join(char for char in text if char.isalpha())


def is_within(needle: str, hay: str) -> bool:
    """Whether all characters of `needle` stand in `hay` in their order."""
    rest = iter(hay)
    return all(char in rest for char in needle)


def fence_tokens(text: str) -> list[Token]:
    return [token for token in parser().parse(text) if token.type == "fence"]


@given(DOCUMENT, LIMITS)
@FEWER
def test_no_piece_is_longer_than_the_limit(text: str, limit: int) -> None:
    for piece in split(text, limit):
        assert utf16_units(piece) <= limit
        assert utf16_units(visible(parse(piece))) <= limit


def shown_letters(text: str, limit: int) -> str:
    return "".join(letters(visible(parse(piece))) for piece in split(text, limit))


def written_letters(text: str) -> str:
    """Those of the source that a reader is to see, each once: a wide table's head is shown for every row."""
    leaves = [leaf for token in parser().parse(text) for leaf in (token.children or [token])]
    return letters("".join(leaf.content for leaf in leaves))


@given(DOCUMENT, LIMITS)
@FEWER
def test_no_visible_letter_is_lost(text: str, limit: int) -> None:
    assert Counter(written_letters(text)) <= Counter(shown_letters(text, limit))


@given(documents(), LIMITS)
@FEWER
def test_letters_keep_their_order(text: str, limit: int) -> None:
    assert is_within(written_letters(text), shown_letters(text, limit))


@given(DOCUMENT, LIMITS)
@FEWER
def test_every_code_block_is_closed_in_its_piece(text: str, limit: int) -> None:
    for piece in split(text, limit):
        *_, last = parser().parse(f"{piece}\n\nend-of-piece")
        assert not any(
            "end-of-piece" in token.content for token in fence_tokens(f"{piece}\n\nend-of-piece")
        ), piece
        assert last.type != "fence"


@given(fences(), LIMITS)
def test_a_cut_code_block_keeps_its_language_and_its_lines(text: str, limit: int) -> None:
    (whole,) = fence_tokens(text)

    parts = [token for piece in split(text, limit) for token in fence_tokens(piece)]

    assert {part.info for part in parts} <= {whole.info}
    assert "".join(part.content for part in parts).split() == whole.content.split()


NOISE = st.text("`~*_[]()!|-+#>=. \n\t1ab\\&;<\U0001f680\u0301\ud83d", min_size=30, max_size=400)


@given(st.one_of(NOISE, st.text(max_size=600)), st.integers(min_value=16, max_value=64))
@example("\ud83d\ude00" * 40, 16)
@example("```" * 40, 16)
@example("|a|\n|-|\n" + "|b|\n" * 60, 48)
@example(("> " * 12 + "x\n") * 9, 40)
def test_any_text_at_all_is_cut_within_the_limit(text: str, limit: int) -> None:
    for piece in split(text, limit):
        assert utf16_units(piece) <= limit
        assert utf16_units(visible(parse(piece))) <= limit


@given(
    st.text(alphabet="aé日\u0301\u200d\ufe0f👩🏽👨🇩🇪🚀", min_size=90, max_size=200),
    st.integers(min_value=100, max_value=140),
)
def test_no_character_is_torn(text: str, limit: int) -> None:
    for piece in split(text, limit)[1:]:
        assert unicodedata.category(piece[0]) not in {"Mn", "Me"}
        assert piece[0] not in "\u200d🏽"


@given(DOCUMENT)
@FEWER
def test_what_fits_stays_one_piece(text: str) -> None:
    pieces = split(text, 1_000_000)

    assert len(pieces) <= 1
    assert [re.sub(r"\s", "", piece) for piece in pieces] in ([re.sub(r"\s", "", text)], [])

"""HTML and MarkdownV2 as the real server reads them."""

from __future__ import annotations

import html
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram.helpers import escape_markdown

from tests.fakes.telegram_api.entities import Entity, FormattedText, tidy, units
from tests.fakes.telegram_api.errors import ApiError
from tests.fakes.telegram_api.forms import Call
from tests.fakes.telegram_api.html_mode import parse_html
from tests.fakes.telegram_api.links import checked_link
from tests.fakes.telegram_api.markdown_mode import parse_markdown_v2
from tests.fakes.telegram_api.text import read_text, settle


def shown(mode: str, source: str) -> tuple[str, list[Any]]:
    """The text, and each entity as (type, the marked text, its details)."""
    settled = settle(read_text(Call("sendMessage", {"text": source, "parse_mode": mode})), lambda _: None)
    raw = settled.text.encode("utf-16-le")
    marked = [
        (e.type, raw[2 * e.offset : 2 * e.end].decode("utf-16-le"), *e.details.values())
        for e in settled.entities
    ]
    return settled.text, marked


def refusal(mode: str, source: str) -> str:
    with pytest.raises(ApiError) as caught:
        shown(mode, source)
    return caught.value.description.removeprefix("Bad Request: can't parse entities: ")


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#39; &#x1F600;", "a <b> & \"c\" 'd' 😀", []),
        ("&nbsp; & &unknown; &#0;", "&nbsp; & &unknown; &#0;", []),
        ("<B>x</b> <strong>y</STRONG>", "x y", [("bold", "x"), ("bold", "y")]),
        ("<i>a</i><em>b</em>", "ab", [("italic", "ab")]),
        ("<u>a</u> <ins>b</ins>", "a b", [("underline", "a"), ("underline", "b")]),
        ("<s>a</s> <del>b</del>", "a b", [("strikethrough", "a"), ("strikethrough", "b")]),
        ('<span class="tg-spoiler">a</span>', "a", [("spoiler", "a")]),
        ("<tg-spoiler>a</tg-spoiler>", "a", [("spoiler", "a")]),
        ("😀<b>😀x</b>", "😀😀x", [("bold", "😀x")]),
        ("<b><i>x</i></b>", "x", [("bold", "x"), ("italic", "x")]),
        ("<b>a <i>b</i></b>", "a b", [("bold", "a b"), ("italic", "b")]),
        ('<a href="https://X.org/a?b=1&amp;c">t</a>', "t", [("text_link", "t", "https://x.org/a?b=1&c")]),
        ("<a href='x.org'>t</a>", "t", [("text_link", "t", "http://x.org/")]),
        ('<a href="http://localhost:80/">t</a>', "t", []),
        ('<a href="/relative">t</a>', "t", []),
        ("<a>x.org</a>", "x.org", [("text_link", "x.org", "http://x.org/")]),
        (
            '<b>a <a href="x.org">t</a></b>',
            "a t",
            [("bold", "a "), ("text_link", "t", "http://x.org/"), ("bold", "t")],
        ),
        ("<code>x &lt; y</code>", "x < y", [("code", "x < y")]),
        ("<b>a <code>c</code> b</b>", "a c b", [("bold", "a "), ("code", "c"), ("bold", " b")]),
        ("<pre>x\ny</pre>", "x\ny", [("pre", "x\ny")]),
        ('<pre><code class="language-py">x</code></pre>', "x", [("pre", "x", "py")]),
        ('<code class="language-py">x</code>', "x", [("code", "x")]),
        ("<blockquote>q</blockquote>", "q", [("blockquote", "q")]),
        ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", "q")]),
        ('<tg-emoji emoji-id="5368">👍</tg-emoji>', "👍", [("custom_emoji", "👍", "5368")]),
        ("<b>x</>", "x", [("bold", "x")]),
        ("<b> x </b> ", " x", [("bold", " x")]),
        (" <b>x</b>", "x", [("bold", "x")]),
        ("<b></b>x", "x", []),
        ('<a href="tg://user?id=7">nobody we know</a>', "nobody we know", []),
    ],
)
def test_html(source: str, text: str, entities: list[Any]) -> None:
    assert shown("HTML", source) == (text, entities)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("é<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("é<b>x</i>", 'Unmatched end tag at byte offset 6, expected "</b>", found "</i>"'),
        ("é</b>", "Unexpected end tag at byte offset 2"),
        ("<p>x</p>", 'Unsupported start tag "p" at byte offset 0'),
        ("a<br/>b", 'Unsupported start tag "br/" at byte offset 1'),
        ("1 < 2 > 1", 'Unsupported start tag "" at byte offset 2'),
        ("x < y", 'Unsupported start tag "" at byte offset 2'),
        ("x <", "Unclosed start tag at byte offset 2"),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a href=x:y>", "Unexpected end of name token at byte offset 8"),
        ('<a ="x">t</a>', 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<tg-emoji>x</tg-emoji>", "Invalid custom emoji identifier specified"),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
    ],
)
def test_broken_html(source: str, error: str) -> None:
    assert refusal("HTML", source) == error


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("*b* _i_ __u__", "b i u", [("bold", "b"), ("italic", "i"), ("underline", "u")]),
        ("~s~ ||p||", "s p", [("strikethrough", "s"), ("spoiler", "p")]),
        (r"\*not bold\* \. \! \\", r"*not bold* . ! \ ".strip(), []),
        ("`a*b_c.`", "a*b_c.", [("code", "a*b_c.")]),
        ("```\nx = 1\n```", "x = 1", [("pre", "x = 1")]),
        ("```py\nx = 1\n```", "x = 1", [("pre", "x = 1", "py")]),
        (r"```x\`y```", "x`y", [("pre", "x`y")]),
        ("[t](http://x.org/a\\)b)", "t", [("text_link", "t", "http://x.org/a)b")]),
        ("[a *b*](x.org)", "a b", [("text_link", "a b", "http://x.org/"), ("bold", "b")]),
        ("![👍](tg://emoji?id=5)", "👍", [("custom_emoji", "👍", "5")]),
        (">quote\n>more\nrest", "quote\nmore\nrest", [("blockquote", "quote\nmore\n")]),
        (">quote\n>more||\nrest", "quote\nmore\nrest", [("expandable_blockquote", "quote\nmore\n")]),
        (">quote||", "quote", [("expandable_blockquote", "quote")]),
        ("*a _b_ c*", "a b c", [("bold", "a b c"), ("italic", "b")]),
        ("_i __u__ i_", "i u i", [("italic", "i u i"), ("underline", "u")]),
        ("😀*x*", "😀x", [("bold", "x")]),
        ("*a*\n*b*", "a\nb", [("bold", "a"), ("bold", "b")]),
    ],
)
def test_markdown(source: str, text: str, entities: list[Any]) -> None:
    assert shown("MarkdownV2", source) == (text, entities)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("a.b", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("a > b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
        ("- item", "Character '-' is reserved and must be escaped with the preceding '\\'"),
        ("a | b", "Character '|' is reserved and must be escaped with the preceding '\\'"),
        ("hello!", "Character '!' is reserved and must be escaped with the preceding '\\'"),
        ("# title", "Character '#' is reserved and must be escaped with the preceding '\\'"),
        ("é *b", "Can't find end of Bold entity at byte offset 3"),
        ("_i", "Can't find end of Italic entity at byte offset 0"),
        ("a `b", "Can't find end of Code entity at byte offset 2"),
        ("```py\nb", "Can't find end of PreCode entity at byte offset 0"),
        ("[t](x.org", "Can't find end of a URL at byte offset 4"),
        ("[t", "Can't find end of TextUrl entity at byte offset 0"),
        ("![t]", "The entity must contain a tg://emoji or tg://time URL"),
        ("![t](x.org)", "Invalid tg://emoji or tg://time URL specified"),
        (">q *b\nrest*", "Can't find end of Bold entity at byte offset 3"),
        ("*a _b* c_", "Can't find end of Italic entity at byte offset 8"),
    ],
)
def test_broken_markdown(source: str, error: str) -> None:
    assert refusal("MarkdownV2", source) == error


@given(st.text())
def test_escaped_text_comes_out_as_it_went_in(text: str) -> None:
    assert parse_html(html.escape(text)) == (text, [])
    assert parse_markdown_v2(escape_markdown(text, version=2)) == (text, [])


MARKS = st.text(alphabet="<>/&;=\"' abiuscodepre*_~|`[]()!\\\n\r😀x#.-1", max_size=40)


@given(MARKS)
def test_any_html_is_parsed_or_refused(source: str) -> None:
    check_parsed_or_refused("HTML", source)


@given(MARKS)
def test_any_markdown_is_parsed_or_refused(source: str) -> None:
    check_parsed_or_refused("MarkdownV2", source)


def check_parsed_or_refused(mode: str, source: str) -> None:
    """No crash, and every entity marks whole characters of the text."""
    try:
        settled = settle(read_text(Call("sendMessage", {"text": source, "parse_mode": mode})), lambda _: None)
    except ApiError:
        return
    starts = {units(settled.text[:index]) for index in range(len(settled.text) + 1)}
    assert all({e.offset, e.end} <= starts and e.length > 0 for e in settled.entities)


KINDS = st.sampled_from(["bold", "italic", "code", "text_link", "blockquote"])
SPANS = st.lists(st.tuples(KINDS, st.integers(0, 12), st.integers(0, 12)))


@given(st.text(alphabet="ab 😀\n\r\t", min_size=1, max_size=12), SPANS)
def test_given_entities_are_repaired_or_refused(text: str, spans: list[tuple[str, int, int]]) -> None:
    given_entities = tuple(Entity(kind, offset, length) for kind, offset, length in spans)
    try:
        settled = tidy(FormattedText(text, given_entities))
    except ApiError:
        return
    assert tidy(settled) == settled, "what was repaired needs no repair"
    solid = [e for e in settled.entities if e.type in {"code", "text_link"}]
    assert all(a.end <= b.offset for a, b in pairwise(solid))


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://Example.ORG", "https://example.org/"),
        ("https://x.org?q=a b", "https://x.org/?q=a%20b"),
        ("x.org/path", "http://x.org/path"),
        ("tg://resolve?domain=x", "tg://resolve/?domain=x"),
        ("ftp://x.org/", None),
        ("javascript:alert(1)", None),
        ("http://localhost", None),
        ("#anchor", None),
        ("", None),
    ],
)
def test_which_links_are_kept(url: str, kept: str | None) -> None:
    assert checked_link(url) == kept

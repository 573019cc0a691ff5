"""Any text at all is rendered, and the server's parser reads in it what a reader is to see."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from channels.markup import Mark, parse, plain, telegram_html, visible
from tests.fakes.telegram_api.html_mode import parse_html

NOISE = st.text("`~*_[]()!|-+#>=.:/ \n\t1ab\\&;<\"'\U0001f680\u0301\ud83d", max_size=300)
ANY = st.one_of(NOISE, st.text(max_size=300))


@given(ANY)
@example("[a](http://[)")
@example("<https://e.org/?a=1&b=2>")
@example("|`|`|\n|-|-|\n|\\||")
@example("- >\n- ```\n\n1. #\n")
@example("&#0; &#xd800; &lt;b>")
def test_the_server_reads_what_is_meant(text: str) -> None:
    events = parse(text)

    shown, _ = parse_html(telegram_html(events))

    assert shown == visible(events)


@given(ANY)
def test_marks_are_balanced_and_nested(text: str) -> None:
    stack: list[Mark] = []
    for event in parse(text):
        if isinstance(event, Mark):
            if event.closes:
                assert stack.pop().style == event.style
            else:
                stack.append(event)
    assert stack == []


@given(st.lists(st.text("abcdefghijäöü日", min_size=1), min_size=1).map(" ".join))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert telegram_html(parse(text)) == plain(parse(text)) == text

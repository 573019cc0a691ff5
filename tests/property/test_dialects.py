"""WhatsApp's marks and mail's HTML: nothing visible is lost, nothing is styled by accident, nothing is let in."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.markup import Event, Laid, Mark, Style, Table, mail_html, parse, plain, utf16_units, whatsapp
from channels.split import rendered, split
from tests.property import markup_readers as readers
from tests.property.test_splitting import DOCUMENT

NOISE = st.text("`~*_[]()!|-+#>=.:/ \n\t1abé日\\&;<\"'\U0001f680\u0301\ud83d", max_size=200)
TOKENS = (
    *("**", "*", "_", "~~", "`", "``", "```", "\\*", "\\_", "\\`"),
    *("a", "bc", "é", "日", "1", " ", " ", ".", "(", ")", "\n", "\n\n", "\n> ", "\n- "),
    *("<https://e.org/_x_~y> ", "[a](https://e.org/*b*)"),
)
WORDS = st.lists(st.sampled_from(TOKENS), max_size=40).map("".join)
ANY = st.one_of(WORDS, NOISE, st.text(max_size=200))
MORE = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])

INVISIBLE = re.compile(r"[\s\u200b•>-]+")
"""White space, and the signs of lists and quotes, which each dialect has its own of."""


def meant(events: list[Event]) -> readers.Shown:
    """Each character with the styles that the Markdown gives it."""
    open_: list[str] = []
    shown: readers.Shown = []
    for event in events:
        if isinstance(event, Table):
            shown += meant(list(event.laid))
        elif isinstance(event, str):
            shown += [(char, frozenset(open_)) for char in event]
        elif event.style in {Style.BOLD, Style.ITALIC, Style.STRIKE, Style.CODE, Style.PRE}:
            name = "code" if event.style is Style.PRE else str(event.style)
            (open_.remove if event.closes else open_.append)(name)
        elif event.style is Style.LINK and event.closes:
            shown += [(char, frozenset()) for char in f" ({event.detail})"]
    return shown


def comparable(shown: readers.Shown) -> list[tuple[str, frozenset[str]]]:
    """Without what no one sees; signs, and text that is part of an address, without styles."""
    text = "".join(char for char, _ in shown)
    for found in reversed(list(re.finditer(r"%(2A|5F|7E|60)", text))):
        shown = [*shown[: found.start()], (unquote(found[0]), frozenset()), *shown[found.end() :]]
    text = "".join(char for char, _ in shown)
    addresses = [
        range(*found.span()) for found in re.finditer(r"(?:https?|tg)://[^\s)]*", text, re.IGNORECASE)
    ]
    kept: list[tuple[str, frozenset[str]]] = []
    for at, (char, styles) in enumerate(shown):
        shown_in = styles & {"code"} or styles
        bare = char in "*_~`\u02cb" or any(at in address for address in addresses)
        kept.append(("`" if char == "\u02cb" else char, frozenset() if bare else shown_in))
    return [(char, styles) for char, styles in kept if not INVISIBLE.fullmatch(char)]


@pytest.mark.parametrize("is_word", [readers.ascii_word, readers.any_word])
@given(text=WORDS)
@MORE
@example(text="**bold**text \\*not\\* 2\\*3 \\*")
@example(text="\\***a** **b**\\*")
@example(text="*a **b** c* _\\__")
@example(text="_`_**_**a_")
def test_whatsapp_shows_the_styles_that_are_meant(is_word: readers.IsWord, text: str) -> None:
    events = parse(text)

    assert comparable(readers.whatsapp(whatsapp(events), is_word)) == comparable(meant(events))


@given(ANY)
def test_whatsapp_loses_no_visible_character(text: str) -> None:
    events = parse(text)

    def seen(shown: str) -> str:
        return INVISIBLE.sub("", re.sub(r"[*_~`\u02cb]", "", unquote(shown)))

    assert seen(whatsapp(events)) == seen(plain(events))


@given(st.text("`~*_->1. \nabé日:/htps", max_size=60))
@example("*https://e.org/_a_* _b_")
@example("- x\n> y")
def test_literal_text_is_escaped_once(text: str) -> None:
    once = whatsapp([text])

    assert whatsapp([once]) == once
    assert {styles for _, styles in readers.whatsapp(once, readers.ascii_word)} <= {frozenset()}


@given(DOCUMENT, st.integers(min_value=150, max_value=500))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_a_piece_for_whatsapp_is_within_its_limit_as_it_is_rendered(text: str, limit: int) -> None:
    for piece in split(text, limit, rendered):
        assert utf16_units(whatsapp(parse(piece))) <= limit


@given(ANY)
@MORE
@example("<script>alert(1)</script> [x](javascript:alert(1)) ![y](data:text/html,z)")
@example('[x](https://e.org/"onclick=alert(1)) <https://e.org/?a=1&b=2>')
@example("https://e.org/<b>\" 'https://e.org/'")
@example('```"><script>\nx\n```')
@example("[a](tg://user?id=1) [b](mailto:x@e.org?subject=%22)")
@example("|a|\n|:-:|\n|https://e.org|\n\n7. x\n   1. y\n\n> > z")
def test_mail_is_well_formed_and_holds_nothing_but_what_is_allowed(text: str) -> None:
    readers.Page(mail_html(parse(text)))


def written(events: list[Event]) -> str:
    """The characters that stand in the text itself, tables cell by cell."""
    out = ""
    for event in events:
        if isinstance(event, Table):
            out += "".join(written(list(cell)) for row in event.rows for cell in row)
        elif isinstance(event, str) and not isinstance(event, Laid):
            out += event
        elif isinstance(event, Mark) and event.style is Style.LINK and event.closes:
            out += "" if event.detail.lower().startswith("http") else f" ({event.detail})"
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", "", out)


@given(ANY)
@MORE
def test_mail_loses_no_visible_character(text: str) -> None:
    events = parse(text)

    assert re.sub(r"\s+", "", readers.Page(mail_html(events)).text) == written(events)


@given(st.text(max_size=200))
def test_literal_text_is_escaped_for_mail(text: str) -> None:
    assert re.sub(r"\s+", "", readers.Page(mail_html([text])).text) == written([text])

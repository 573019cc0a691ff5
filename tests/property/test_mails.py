"""Whatever bytes arrive as a mail: they are read or refused, in bounds, and never go wrong in another way."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.adapters.email.authenticity import learn, verdict
from channels.adapters.email.guard import automatic, bounces
from channels.adapters.email.headers import read_headers, words
from channels.adapters.email.html_text import from_html
from channels.adapters.email.invitation import render
from channels.adapters.email.lines import Line, fixed, flowed
from channels.adapters.email.mail import BadMail, Limits, Mail, read
from channels.adapters.email.quoting import sort_out
from channels.adapters.email.stamps import read_stamp
from channels.adapters.email.tnef import unpack
from tests.unit.channels.email import corpus

LIMITS = Limits(mail=200_000, attachment=5000, attachments=3, text=500)
CORPUS = {name: corpus.raw(name) for name in sorted(corpus.expectations())}
MARKUP = [
    "<p>",
    "</p>",
    "<div>",
    "<blockquote>",
    "</blockquote>",
    "<br>",
    "<pre>",
    "<li>",
    "<ol>",
    "<a href='https://e.example'>",
]
SPOKEN = [
    *(
        "> ",
        ">> ",
        "-- \n",
        "From: a@b.example\n",
        "Sent: Monday\n",
        "Subject: x\n",
        "\n",
        "\n\n",
        "words ",
        "\r",
        "\t",
        " \n",
    ),
    *("On 3 May 2027 at 09:00, A <a@b.c> wrote:\n", "-----Original Message-----\n", "________________\n"),
    "Begin forwarded message:\n",
]
BITS = [
    *(
        b"\n",
        b"\r\n",
        b"\n\n",
        b"--XX\n",
        b"--XX--\n",
        b"--YY\n",
        b": ",
        b";",
        b'"',
        b"(",
        b"<",
        b">",
        b",",
        b" ",
        b"=",
        b"\xff\x00",
    ),
    *(
        b"Content-Type: multipart/mixed; boundary=XX\n",
        b"Content-Type: message/rfc822\n\n",
        b"Content-Type: text/html\n\n",
    ),
    *(
        b"Content-Transfer-Encoding: base64\n",
        b"From: x@y.example\n",
        b"=?utf-8?q?=?=",
        b"charset=utf-16",
        b"filename*0*=",
    ),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A mail of the corpus with pieces cut out, put in, or of another mail behind it."""
    raw = CORPUS[draw(st.sampled_from(list(CORPUS)))]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(raw)))
        cut = draw(st.integers(0, 60))
        raw = raw[:at] + draw(st.sampled_from(BITS) | st.binary(max_size=8)) + raw[at + cut :]
    return raw + (CORPUS[draw(st.sampled_from(list(CORPUS)))] if draw(st.booleans()) else b"")


def _check(mail: Mail) -> None:
    assert len(mail.text) <= LIMITS.text
    assert all(len(quote.text) <= LIMITS.text and "\n" not in quote.source for quote in mail.quotes)
    assert len(mail.attachments) <= LIMITS.attachments
    assert all(0 < len(one.content) == one.size <= LIMITS.attachment for one in mail.attachments)
    assert mail.sender == mail.sender.lower()
    assert mail.sender.count("@") == 1
    for text in (mail.text, mail.subject, mail.sender_name, *(quote.text for quote in mail.quotes)):
        text.encode()
        assert "\x00" not in text
    assert "\n" not in mail.subject + mail.sender_name
    assert "\n" not in automatic(mail, corpus.OWN)
    assert "\n" not in verdict(mail.headers, mail.sender, corpus.SERVER).reason


@given(damaged() | st.binary(max_size=300) | st.lists(st.sampled_from(BITS), max_size=40).map(b"".join))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=400)
def test_any_bytes_are_read_in_bounds_or_refused(raw: bytes) -> None:
    bounces(raw)
    learn([read_headers(raw)])
    with contextlib.suppress(BadMail):
        mail = read(raw, LIMITS)
        _check(mail)
        assert read(raw, LIMITS) == mail


@given(st.text(max_size=300))
def test_any_text_is_a_field(value: str) -> None:
    assert "\n" not in words(value)
    read_stamp(value)
    read_stamp(f"mx.home.example; {value}")


@given(st.lists(st.sampled_from(MARKUP) | st.text(max_size=20), max_size=30).map("".join))
@settings(deadline=None)
def test_any_html_becomes_lines(source: str) -> None:
    for line in from_html(source):
        assert line.depth >= 0
        assert "\n" not in line.text


@given(st.lists(st.sampled_from(SPOKEN) | st.text(max_size=12), max_size=30).map("".join), st.booleans())
def test_the_words_of_a_quoted_line_are_never_the_senders(text: str, forwards: bool) -> None:
    for lines in (fixed(text), flowed(text, delsp=False)):
        marked = [Line(line.depth, f"{line.text} «{line.depth}»") for line in lines]
        found = sort_out(marked, forwards=forwards)
        own = [line for line in found.own.split("\n") if line]
        assert all(line.endswith("«0»") for line in own)
        assert len(own) <= sum(line.depth == 0 for line in lines)


@given(st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=30), max_size=20))
def test_nothing_unmarked_is_lost_but_signatures_and_announcements(lines: list[str]) -> None:
    own = [line for line in lines if not line.lstrip().startswith((">", "-", "_", "*"))]
    said = sort_out([Line(0, line) for line in own])
    together = f"{said.own}\n{said.quoted}\n{said.forwarded}"
    assert all(line.rstrip() in together for line in own)


@given(st.binary(max_size=400))
def test_any_bytes_may_call_themselves_winmail(data: bytes) -> None:
    unpack(data)
    found = unpack(b"\x78\x9f\x3e\x22\x01\x00" + data)
    assert found is not None
    assert sum(len(file.content) for file in found.files) <= len(data)


@given(
    st.lists(
        st.sampled_from(["BEGIN:VEVENT\n", "END:VEVENT\n", "SUMMARY:", "DTSTART;TZID=", "METHOD:", "\n", " "])
        | st.text(max_size=20)
    )
)
def test_any_text_may_call_itself_a_calendar(parts: list[str]) -> None:
    assert len(render("".join(parts))) <= 100_000

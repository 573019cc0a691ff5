"""An answer as the bytes that are sent, and read again by our own reader and the standard library's."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.adapters.email.compose import Enclosure, Letter, compose, encode
from channels.adapters.email.mail import read
from channels.errors import Refused

LETTER = Letter(
    message_id="<nanobot.7.0123456789abcdef.fedcba9876543210@home.example>",
    sender="bot@home.example",
    sender_name="Nanobot",
    to="anna@example.org",
    subject="Re: Dinner",
    markdown="At **eight**, see [the menu](https://e.example/menu).",
    date=datetime(2027, 5, 3, 10, tzinfo=UTC),
    in_reply_to="<question@example.org>",
    references=("<root@example.org>", "<question@example.org>"),
)
MOST = 1_000_000


def sent(letter: Letter) -> bytes:
    return encode(compose(letter, MOST))


def parsed(letter: Letter) -> EmailMessage:
    message = email.message_from_bytes(sent(letter), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_an_answer_is_plain_text_and_html_with_the_headers_of_an_automatic_reply() -> None:
    message = parsed(LETTER)

    assert {name: str(value) for name, value in message.items() if name != "Content-Type"} == {
        "From": "Nanobot <bot@home.example>",
        "To": "anna@example.org",
        "Subject": "Re: Dinner",
        "Date": "Mon, 03 May 2027 10:00:00 +0000",
        "Message-ID": LETTER.message_id,
        "In-Reply-To": "<question@example.org>",
        "References": "<root@example.org> <question@example.org>",
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
        "MIME-Version": "1.0",
    }
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert plain.get_content() == "At eight, see the menu (https://e.example/menu).\r\n"
    assert '<a href="https://e.example/menu">the menu</a>' in html.get_content()


def test_what_the_bot_begins_says_so() -> None:
    message = parsed(replace(LETTER, kind="auto-generated", in_reply_to="", references=()))
    assert message["Auto-Submitted"] == "auto-generated"
    assert "In-Reply-To" not in message
    assert "References" not in message


@pytest.mark.parametrize(
    "broken", ["x\r\nBcc: eve@evil.example", "x\nBcc: eve@evil.example", "x\rBcc: e@x", "x\x00y"]
)
def test_no_text_begins_a_header_of_its_own(broken: str) -> None:
    letter = replace(
        LETTER, subject=broken, sender_name=broken, in_reply_to=f"<{broken}>", references=(broken,)
    )
    message = parsed(replace(letter, enclosures=(Enclosure(broken, "text/plain", b"x"),)))
    assert "Bcc" not in message
    assert message["To"] == "anna@example.org"
    assert "In-Reply-To" not in message


def test_what_looks_encoded_is_read_as_it_was_written() -> None:
    looks = "=?utf-8?q?Bank?="
    mail = read(sent(replace(LETTER, subject=looks, sender_name=looks)))
    assert (mail.subject, mail.sender_name) == (looks, looks)


def test_an_enclosure_comes_through_byte_for_byte() -> None:
    files = (
        Enclosure("Übersicht 2027.pdf", "application/pdf", bytes(range(256))),
        Enclosure("notes.txt", "text/plain", "grün\r\nrot\n".encode()),
        Enclosure("old.eml", "message/rfc822", b"From: x\n\nHi"),
        Enclosure("../up", "no type", b"?"),
        Enclosure("", "", b"!"),
    )
    found = read(sent(replace(LETTER, enclosures=files))).attachments

    assert [one.content for one in found] == [file.content for file in files]
    assert [one.name for one in found] == ["Übersicht 2027.pdf", "notes.txt", "old.eml", ".._up", "file"]
    octets = "application/octet-stream"
    assert [one.mime for one in found[:4]] == ["application/pdf", "text/plain", "message/rfc822", octets]


def test_a_mail_with_nothing_but_a_file() -> None:
    mail = read(sent(replace(LETTER, markdown="", enclosures=(Enclosure("a.png", "image/png", b"png"),))))
    assert mail.text == ""
    assert [one.name for one in mail.attachments] == ["a.png"]


def test_a_mail_over_the_limit_is_refused() -> None:
    letter = replace(LETTER, enclosures=(Enclosure("a.bin", "application/octet-stream", bytes(100_000)),))
    with pytest.raises(Refused, match="and 100000 can be sent"):
        compose(letter, 100_000)


@pytest.mark.parametrize(
    "address", ["", "anna", "anna@", "a b@example.org", "anna@example.org\nBcc: x@y", "ännä@example.org"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        compose(replace(LETTER, to=address), MOST)


def test_a_domain_in_other_letters_is_written_in_ascii() -> None:
    assert parsed(replace(LETTER, to="anna@bücher.example"))["To"] == "anna@xn--bcher-kva.example"


def test_long_references_are_not_encoded() -> None:
    ids = tuple(f"<{'x' * 200}{number}@example.org>" for number in range(20))
    raw = sent(replace(LETTER, references=ids, in_reply_to=ids[-1]))
    assert read(raw).references == ids
    assert b"=?" not in raw.partition(b"\r\n\r\n")[0]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
ids = st.from_regex(re.compile(r"<[a-z0-9.]{1,90}@[a-z]{1,10}\.example>", re.ASCII), fullmatch=True)


@given(subject=texts, name=texts, references=st.lists(ids, max_size=20, unique=True), markdown=texts)
@settings(deadline=None)
def test_what_is_composed_is_read_again(
    subject: str, name: str, references: list[str], markdown: str
) -> None:
    letter = replace(
        LETTER, subject=subject, sender_name=name, references=tuple(references), markdown=markdown
    )
    raw = sent(letter)
    mail = read(raw)

    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert {line.partition(":")[0] for line in head.split("\r\n") if line[0] != " "} <= {
        *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"),
        *("X-Auto-Response-Suppress", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    }
    assert (mail.message_id, mail.sender, mail.date) == (letter.message_id, letter.sender, letter.date)
    assert mail.references == letter.references
    assert mail.recipients == (letter.to,)


plain_words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@given(st.lists(plain_words, min_size=1, max_size=12), st.lists(plain_words, min_size=1, max_size=40))
@settings(deadline=None)
def test_words_come_through(subject: list[str], said: list[str]) -> None:
    letter = replace(
        LETTER, subject=" ".join(subject), sender_name=" ".join(subject)[:60].strip(), markdown=" ".join(said)
    )
    mail = read(sent(letter))
    assert mail.subject == letter.subject
    assert mail.sender_name == letter.sender_name
    assert mail.text == letter.markdown

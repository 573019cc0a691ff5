"""Mails made to cost time, memory or our trust."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from channels.adapters.email.guard import bounces
from channels.adapters.email.mail import BadMail, Limits, read

HEAD = b"From: anna@example.org\nSubject: x\n"
SLOWEST = 4.0
"""Seconds; ten times what the slowest takes, so that a busy machine passes and a quadratic reader doesn't."""


def nested(depth: int) -> bytes:
    part = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
    parts = [part % (level, level) for level in range(depth)]
    return b"".join([HEAD, *parts, b"Content-Type: text/plain\n\nDeep down.\n"])


def many_parts() -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 200_000


COSTLY: dict[str, Callable[[], bytes]] = {
    "nesting": lambda: nested(3000),
    "mails within mails": lambda: (
        HEAD + b"Content-Type: message/rfc822\n\nFrom: a@b.example\n" * 3000 + b"\nHi"
    ),
    "parts": many_parts,
    "lines": lambda: HEAD + b"\n" + b"\n" * 20_000_000,
    "long line": lambda: HEAD + b"\n" + b"a " * 10_000_000,
    "quotation marks": lambda: HEAD + b"\n" + b">" * 10_000_000,
    "attributions": lambda: HEAD + b"\n" + b"On 3 May 2027 at 09:00 a@b.c wrote:\n" * 50_000,
    "heads": lambda: HEAD + b"\n" + b"From: a@b.c\nSent: Monday\n" * 50_000,
    "colons": lambda: HEAD + b"\n" + b":\n" * 1_000_000,
    "dashes": lambda: HEAD + b"\n" + b"--\n" * 30_000 + b"-- \nx\n" * 30_000,
    "rules": lambda: HEAD + b"\n" + b"-" * 300_000 + b"\n" + b"_" * 300_000,
    "html": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<p>a" * 2_000_000,
    "deep html": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<div>" * 2_000_000,
    "links": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<a href=x>y" * 300_000,
    "style sheets": lambda: HEAD + b"Content-Type: text/html\n\n<style>" + b".a,{" * 300_000,
    "classes": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<p class='%s'>" % (b"a " * 50_000) * 20,
    "base64": lambda: HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"!AAA" * 8_000_000,
    "quoted-printable": lambda: (
        HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=\n" * 5_000_000
    ),
    "encoded words": lambda: b"From: a@b.example\nSubject: " + b"=?utf-8?q?a?= " * 15_000 + b"\n\n",
    "brackets": lambda: b"From: a@b.example " + b"(" * 200_000 + b"\n\n",
    "recipients": lambda: b"From: a@b.example\nTo: " + b"a@b.example," * 15_000 + b"\n\n",
    "parameters": lambda: HEAD + b"Content-Type: text/plain" + b'; a*0="\\' * 20_000 + b"\n\nHi",
    "fields": lambda: HEAD + b"X: y\n" * 40_000 + b"\nHi",
    "references": lambda: HEAD + b"References: " + b"<a@b>" * 40_000 + b"\n\nHi",
}


@pytest.mark.parametrize("what", sorted(COSTLY))
def test_a_mail_made_to_cost_time_takes_little(what: str) -> None:
    raw = COSTLY[what]()
    began = time.process_time()
    try:
        mail = read(raw)
    except BadMail:
        pass
    else:
        assert len(mail.text) <= Limits().text
        assert len(mail.references) <= 100
    bounces(raw)
    assert time.process_time() - began < SLOWEST


def test_what_is_nested_too_deeply_is_left_out_with_a_word() -> None:
    mail = read(nested(50))
    assert mail.text == ""
    assert "nests them too deeply" in mail.more[0]


def test_a_huge_header_is_refused() -> None:
    with pytest.raises(BadMail, match="header is larger than 256 kB"):
        read(HEAD + b"X: " + b"y" * 300_000 + b"\n\nHi")


def test_a_huge_mail_is_refused() -> None:
    with pytest.raises(BadMail, match="larger than 1 MB"):
        read(HEAD + b"\n" + bytes(1024 * 1024), Limits(mail=1024 * 1024))


def test_a_long_text_is_cut_with_a_word() -> None:
    mail = read(HEAD + b"\n" + b"word " * 100, Limits(text=50))
    assert mail.text == ("word " * 10)
    assert mail.more == ("Its text was cut after 50 characters.",)


def test_large_and_many_files_are_left_out_with_a_word() -> None:
    part = b"--b\nContent-Type: application/zip; name=%s\nContent-Disposition: attachment\n\n%s\n"
    parts = [
        (b"a.zip", b"1"),
        (b"b.zip", b"22222"),
        (b"c.zip", b"3"),
        (b"d.zip", b"4"),
        (b"e.zip", b"5"),
        (b"f.zip", b"6"),
    ]
    raw = (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=b\n\n"
        + b"".join(part % one for one in parts)
        + b"--b--\n"
    )

    mail = read(raw, Limits(attachment=3, attachments=3))

    assert [one.name for one in mail.attachments] == ["a.zip", "c.zip", "d.zip"]
    assert mail.more == (
        "The attachment b.zip was left out: it is larger than 3 bytes.",
        "Of its attachments only 3 were taken.",
    )


def test_a_file_of_the_largest_size_comes_whole() -> None:
    raw = HEAD + b"Content-Type: application/zip; name=a.zip\n\n" + bytes(5000)
    assert read(raw, Limits(attachment=5000)).attachments[0].content == bytes(5000)
    assert read(raw, Limits(attachment=4999)).attachments == ()

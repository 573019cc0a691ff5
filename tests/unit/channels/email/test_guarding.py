"""What isn't answered beyond the corpus, and how often anybody is."""

from __future__ import annotations

import pytest

from channels.adapters.email.guard import Rate, automatic, bounces, too_often
from channels.adapters.email.mail import read

OWN = {"bot@home.example"}
RATE = Rate(most=3, seconds=60.0)


def with_field(field: str, sender: str = "anna@example.org") -> bytes:
    return f"From: {sender}\n{field}\n\nHi.\n".encode()


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "auto-submitted: AUTO-Replied; owner-email=x",
        "Precedence: Junk",
        "Precedence: auto_reply",
        "List-Unsubscribe: <https://e.example>",
        "X-Auto-Response-Suppress: DR, OOF",
        "X-Autoreply: yes",
        "X-Loop: bot@home.example",
        "Return-Path: < >",
        "Content-Type: Multipart/Report; boundary=x",
        "Subject: Out of Office: Dinner",
        "Subject: =?utf-8?q?R=C3=A9ponse_automatique_=3A_Diner?=",
    ],
)
def test_a_programs_mail(field: str) -> None:
    assert automatic(read(with_field(field)), OWN)


@pytest.mark.parametrize(
    "sender",
    [
        *("noreply@x.example", "no-reply+12@x.example", "do_not_reply@x.example", "MAILER-DAEMON@x.example"),
        *(
            "postmaster@x.example",
            "garden-bounces@x.example",
            "garden-request@x.example",
            "bounce-7=a@x.example",
        ),
    ],
)
def test_a_programs_address(sender: str) -> None:
    assert "program's address" in automatic(read(with_field("X: y", sender)), OWN)


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: no (a person)",
        "Precedence: first-class",
        "X-Auto-Response-Suppress: None",
        "X-Loop: somebody@example.org",
        "Subject: Re: Out of office next week?",
        "Return-Path: <anna@example.org>",
        "Listen-To: me",
    ],
)
def test_a_persons_mail(field: str) -> None:
    assert automatic(read(with_field(field)), OWN) == ""


@pytest.mark.parametrize(
    "sender", ["norbert@x.example", "bouncer@x.example", "postman@x.example", "owner@x.example"]
)
def test_a_persons_address(sender: str) -> None:
    assert automatic(read(with_field("X: y", sender)), OWN) == ""


def test_a_person_who_quotes_a_bounce_reports_none() -> None:
    text = "From: anna@example.org\n\nIt said 5.1.1 and\nMessage-ID: <nanobot.1.new.0@home.example>\n"
    assert bounces(text.encode()) == ()


def test_a_vacation_reply_without_return_path_is_no_bounce() -> None:
    text = "Return-Path: <>\nFrom: bob@e.example\nIn-Reply-To: <nanobot.1.new.0@home.example>\n\nI am away.\n"
    assert bounces(text.encode()) == ()


def test_a_report_that_returns_nothing_names_the_mail_as_if_it_answered() -> None:
    text = (
        "From: postmaster@e.example\nIn-Reply-To: <a@home.example>\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=X\n\n"
        "--X\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;x\n\n"
        "Final-Recipient: rfc822;one@e.example\nAction: failed\nStatus: 5.2.2\n\n"
        "Final-Recipient: rfc822;two@e.example\nAction: relayed\nStatus: 2.0.0\n\n"
        "Final-Recipient: rfc822;three@e.example\nAction: Delayed (still trying)\nStatus: 4.0.0\n--X--\n"
    )
    found = bounces(text.encode())
    assert [(one.message_id, one.recipient, one.final) for one in found] == [
        ("<a@home.example>", "one@e.example", True),
        ("<a@home.example>", "three@e.example", False),
    ]


def test_only_so_many_answers_within_a_while() -> None:
    assert not too_often([], 100.0, RATE)
    assert not too_often([90.0, 95.0], 100.0, RATE)
    assert too_often([90.0, 95.0, 99.0], 100.0, RATE)


def test_old_answers_and_a_clock_set_back_dont_count() -> None:
    assert not too_often([40.0, 95.0, 99.0], 100.0, RATE)
    assert not too_often([500.0, 600.0, 99.0, 98.0], 100.0, RATE)

"""Each mail of the corpus is read, judged and guarded as its table says."""

from __future__ import annotations

from typing import Any

import pytest

from channels.adapters.email.authenticity import verdict
from channels.adapters.email.guard import Failure, automatic, bounces
from channels.adapters.email.mail import BadMail, Mail, read
from channels.types import Attachment, Quote, Whose
from tests.unit.channels.email import corpus

TABLE = corpus.expectations()
READABLE = sorted(name for name, expected in TABLE.items() if "bad" not in expected)
UNREADABLE = sorted(set(TABLE) - set(READABLE))


def test_every_mail_is_in_the_table_and_there_are_many() -> None:
    assert {path.stem for path in corpus.FOLDER.glob("*.eml")} == set(TABLE)
    assert len(TABLE) >= 60


@pytest.mark.parametrize("name", READABLE)
def test_what_it_says(name: str) -> None:
    expected, mail = TABLE[name], read(corpus.raw(name))

    assert mail.text == expected["text"]
    assert [[quote.source, quote.text] for quote in mail.quotes] == expected.get("quotes", [])
    assert {quote.whose for quote in mail.quotes} <= {Whose.OTHER}
    assert [_listed(one) for one in mail.attachments] == expected.get("attachments", [])
    assert len(mail.more) == len(expected.get("more", []))
    for line, part in zip(mail.more, expected.get("more", []), strict=True):
        assert part in line


def _listed(attachment: Attachment) -> list[Any]:
    assert len(attachment.content) == attachment.size
    return [attachment.kind.value, attachment.name, attachment.mime, attachment.size]


@pytest.mark.parametrize("name", READABLE)
def test_who_wrote_it(name: str) -> None:
    expected, mail = TABLE[name], read(corpus.raw(name))

    assert mail.sender == expected.get("sender", "anna@example.org")
    assert mail.sender_name == expected.get("name", "" if "sender" in expected else "Anna Berg")
    assert mail.recipients == ("bot@home.example",)
    assert mail.subject == expected.get("subject", mail.subject)
    assert (mail.date is None) == expected.get("no_date", False)
    assert mail.begins == expected.get("begins", not mail.subject.startswith("Re:"))


@pytest.mark.parametrize("name", READABLE)
def test_whether_its_sender_is_proven(name: str) -> None:
    expected, mail = TABLE[name], read(corpus.raw(name))

    found = verdict(mail.headers, mail.sender, corpus.SERVER)

    assert found.authentic == expected.get("authentic", True), found.reason
    assert expected.get("reason", "") in found.reason


@pytest.mark.parametrize("name", READABLE)
def test_whether_it_may_be_answered(name: str) -> None:
    expected = TABLE[name]
    why = automatic(read(corpus.raw(name)), corpus.OWN)

    assert expected.get("automatic", "") in why
    assert bool(why) == bool(expected.get("automatic"))


@pytest.mark.parametrize("name", sorted(TABLE))
def test_what_it_reports(name: str) -> None:
    assert [_told(failure) for failure in bounces(corpus.raw(name))] == TABLE[name].get("bounces", [])


def _told(failure: Failure) -> list[str]:
    how = "final" if failure.final else "delayed"
    return [failure.message_id, failure.recipient, how, failure.status, failure.detail]


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_read_at_all(name: str) -> None:
    with pytest.raises(BadMail, match=TABLE[name]["bad"]):
        read(corpus.raw(name))


@pytest.mark.parametrize("name", READABLE)
def test_reading_again_says_the_same(name: str) -> None:
    first, again = read(corpus.raw(name)), read(corpus.raw(name))
    assert first == again
    assert first.message_id.startswith("<")
    assert first.message_id.endswith(">")


@pytest.mark.parametrize("name", READABLE)
def test_a_quoted_line_is_never_the_senders(name: str) -> None:
    mail: Mail = read(corpus.raw(name))
    own = set(mail.text.split("\n")) - {""}

    assert not own & _lines(mail.quotes)


def _lines(quotes: tuple[Quote, ...]) -> set[str]:
    return {line for quote in quotes for line in quote.text.split("\n") if line.strip()}

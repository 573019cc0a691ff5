"""A raw mail becomes a `Mail`: who wrote it, what they wrote now, and what they passed on. Pure.

Large mails take up to a second: call `read` in a thread.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from channels.adapters.email import phrases
from channels.adapters.email.addresses import addresses
from channels.adapters.email.content import Content, Limits, gather, source_of
from channels.adapters.email.headers import BLOCK_LIMIT, Headers, date_of, made_up_id, message_ids, words
from channels.adapters.email.mime import Budget, Part, parse
from channels.adapters.email.quoting import Words, sort_out
from channels.types import Attachment, Quote

__all__ = ["BadMail", "Limits", "Mail", "read"]

_RECIPIENTS = 100
_SUBJECT = 500
_NAME = 100

_ANSWERED = "the mail that this answers"
_QUOTED = "quoted in the mail"


class BadMail(Exception):
    """A mail that can't be answered, whoever it is from; the text is one line for the owner."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says.

    Message ids are in angle brackets; `message_id` is made of a digest of the mail where it has none. `sender` is the
    one address of From, in lower case. `date` is in UTC, None where the mail has no readable one. `text` is what the
    sender wrote now, without quotations and signature; what they passed on is in `quotes` and `attachments`, whose
    bytes are there. `more` has a line for everything that was left out: too large, encrypted, unreadable.
    """

    message_id: str
    sender: str
    sender_name: str
    recipients: tuple[str, ...]
    subject: str
    date: datetime | None
    in_reply_to: str
    references: tuple[str, ...]
    text: str
    quotes: tuple[Quote, ...]
    attachments: tuple[Attachment, ...]
    more: tuple[str, ...]
    headers: Headers

    @property
    def begins(self) -> bool:
        """Neither an answer nor passed on: its subject too is the sender's own words."""
        return not (self.in_reply_to or self.references or phrases.REPLY_SUBJECT.match(self.subject))


def read(raw: bytes, limits: Limits | None = None) -> Mail:
    """Raises `BadMail`, and nothing else whatever the bytes are."""
    limits = limits or Limits()
    if len(raw) > limits.mail:
        raise BadMail(f"it is larger than {limits.mail // 1024 // 1024} MB")
    budget = Budget()
    part = parse(raw, budget)
    if part.start > BLOCK_LIMIT:
        raise BadMail(f"its header is larger than {BLOCK_LIMIT // 1024} kB")
    headers = part.headers
    name, sender = _from(headers)
    content = gather(part, limits)
    subject = words(headers.one("Subject"))[:_SUBJECT]
    found = sort_out(content.written, forwards=bool(phrases.FORWARD_SUBJECT.match(subject)))
    answered = next(iter(message_ids(headers.one("In-Reply-To"))), "")
    if budget.spent:
        content.more.append("Some of its parts were left out: it has too many, or nests them too deeply.")
    quotes = _quotes(found, content, answered)
    return Mail(
        message_id=_message_id(part),
        sender=sender,
        sender_name=name,
        recipients=_recipients(headers),
        subject=subject,
        date=date_of(headers.one("Date")),
        in_reply_to=answered,
        references=message_ids(headers.one("References")),
        text=_cut(found.own, content, "Its text"),
        quotes=quotes,
        attachments=tuple(content.attachments),
        more=tuple(content.more),
        headers=headers,
    )


def _from(headers: Headers) -> tuple[str, str]:
    """RFC 5322 wants one From; several authors, or two fields, are how a forger shows one and proves another."""
    fields = headers.all("From")
    found = addresses(fields[0]) if len(fields) == 1 else []
    if len(found) != 1 or not found[0][1]:
        raise BadMail("it doesn't say plainly from whom it is: it must have one From with one address")
    name, address = found[0]
    return name[:_NAME], address.lower()


def _recipients(headers: Headers) -> tuple[str, ...]:
    fields = [*headers.all("To"), *headers.all("Cc")]
    found = [address.lower() for value in fields for _, address in addresses(value) if address]
    return tuple(dict.fromkeys(found))[:_RECIPIENTS]


def _message_id(part: Part) -> str:
    if given := message_ids(part.headers.one("Message-ID")):
        return given[0]
    digest = hashlib.sha256()
    for name in ("From", "To", "Date", "Subject"):
        digest.update(f"{part.headers.one(name)}\n".encode("utf-8", "replace"))
    digest.update(memoryview(part.raw)[part.start : part.end])
    return made_up_id(digest.hexdigest()[:32])


def _quotes(found: Words, content: Content, answered: str) -> tuple[Quote, ...]:
    quotes = []
    if found.quoted:
        quotes.append(
            Quote(
                _cut(found.quoted, content, "What it quotes"),
                _ANSWERED if answered else _QUOTED,
                ref=answered,
            )
        )
    if found.forwarded:
        quotes.append(Quote(_cut(found.forwarded, content, "What it forwards"), source_of(found.author)))
    return (*quotes, *content.quotes)


def _cut(text: str, content: Content, what: str) -> str:
    most = content.limits.text
    if len(text) > most:
        content.more.append(f"{what} was cut after {most} characters.")
    return text[:most]

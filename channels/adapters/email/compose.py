"""An answer becomes a mail: plain text and HTML of the same Markdown, files, and the headers of RFC 3834. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Literal


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file to enclose."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail is made of. Ids are in angle brackets; `kind` is auto-replied for answers, else auto-generated.

    `date` must know its time zone.
    """

    message_id: str
    sender: str
    sender_name: str
    to: str
    subject: str
    markdown: str
    date: datetime
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    kind: Literal["auto-replied", "auto-generated"] = "auto-replied"
    enclosures: tuple[Enclosure, ...] = ()


def compose(letter: Letter, most: int) -> EmailMessage:
    """The mail, of at most `most` bytes on the wire. Raises `channels.errors.Refused` where it is larger or an
    address is none.
    """
    raise NotImplementedError


def encode(message: EmailMessage) -> bytes:
    """As it is handed to the server: CRLF, seven bits, no line longer than RFC 5322 allows."""
    raise NotImplementedError

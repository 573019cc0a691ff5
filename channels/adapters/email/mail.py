"""A raw mail becomes a `Mail`: who wrote it, what they wrote now, and what they passed on. Pure.

Large mails take up to a second: call `read` in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from channels.adapters.email.headers import Headers
from channels.types import Attachment, Quote


class BadMail(Exception):
    """A mail that can't be answered, whoever it is from; the text is one line for the owner."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a whole mail and of an attachment, characters of its text, and a number of attachments."""

    mail: int = 40 * 1024 * 1024
    attachment: int = 20 * 1024 * 1024
    attachments: int = 30
    text: int = 100_000


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


def read(raw: bytes, limits: Limits | None = None) -> Mail:
    """Raises `BadMail`, and nothing else whatever the bytes are."""
    raise NotImplementedError

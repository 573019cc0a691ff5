"""An answer becomes a mail: plain text and HTML of the same Markdown, files, and the headers of RFC 3834. Pure."""

from __future__ import annotations

import functools
import re
from binascii import b2a_base64
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from typing import Any, ClassVar, Literal

from channels.adapters.email.addresses import is_address
from channels.adapters.email.charsets import printable
from channels.adapters.email.domains import on_the_wire
from channels.adapters.email.headers import is_made_up
from channels.errors import Refused
from channels.events import plain
from channels.mail_markup import mail_html
from channels.markdown import parse, well_formed

_ID = re.compile(r"<[!-;=?-~]{1,500}>")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~ -]*")
_PIECE = 42
"""Bytes in an encoded word, which may have 75 characters."""

_WIDTH = 76
_MIME = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+")


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
    message = EmailMessage(_policy())
    message["From"] = _mailbox(letter.sender, letter.sender_name)
    message["To"] = _mailbox(letter.to, "")
    message["Subject"] = _encoded(_one_line(letter.subject, 500))
    message["Date"] = letter.date
    message["Message-ID"] = letter.message_id
    for name, ids in (("In-Reply-To", (letter.in_reply_to,)), ("References", letter.references)):
        if known := " ".join(one for one in ids if _ID.fullmatch(one) and not is_made_up(one)):
            message[name] = known
    message["Auto-Submitted"] = letter.kind
    # Exchange doesn't know Auto-Submitted: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmail
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    _write(message, letter.markdown)
    for enclosure in letter.enclosures:
        _enclose(message, enclosure)
    size = len(encode(message))
    if size > most:
        raise Refused(f"the mail has {size} bytes, and {most} can be sent")
    return message


def encode(message: EmailMessage) -> bytes:
    """As it is handed to the server: CRLF, seven bits, no line longer than RFC 5322 allows."""
    return message.as_bytes(policy=_policy())


def _write(message: EmailMessage, markdown: str) -> None:
    events = parse(markdown)
    message.set_content(plain(events).strip("\n") + "\n")
    if markdown.strip():
        head = '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n'
        message.add_alternative(f"{head}{mail_html(events)}\n</body></html>\n", subtype="html")


def _enclose(message: EmailMessage, enclosure: Enclosure) -> None:
    mime = enclosure.mime.lower()
    # A mail or a multipart may not be encoded, so it goes as any file.
    if not _MIME.fullmatch(mime) or mime.startswith(("multipart/", "message/")):
        mime = "application/octet-stream"
    main, _, sub = mime.partition("/")
    name = _one_line(enclosure.name, 200).replace("/", "_") or "file"
    message.add_attachment(enclosure.content, maintype=main, subtype=sub, filename=name)


def _mailbox(address: str, name: str) -> str:
    if not address.rpartition("@")[0].isascii():
        raise Refused(
            f"mail to {address} needs a server that takes addresses in other letters, which isn't supported"
        )
    spec = on_the_wire(address)
    if not is_address(spec):
        raise Refused(f"{_one_line(address, 100)!r} is no mail address")
    shown = _one_line(name, 100)
    shown = shown if _ATOMS.fullmatch(shown) and "=?" not in shown else _encoded_words(shown)
    return f"{shown} <{spec}>" if shown else spec


def _encoded(text: str) -> str:
    return text if text.isascii() and "=?" not in text else _encoded_words(text)


def _encoded_words(text: str) -> str:
    """RFC 2047: all of it, as readers drop the spaces between two words, in pieces of whole characters."""
    pieces = [b""]
    for char in text:
        letter = char.encode("utf-8")
        if len(pieces[-1]) + len(letter) > _PIECE:
            pieces.append(b"")
        pieces[-1] += letter
    return " ".join(f"=?utf-8?b?{b2a_base64(piece, newline=False).decode()}?=" for piece in pieces if piece)


def _one_line(text: str, most: int) -> str:
    """No text may begin a header field of its own."""
    return " ".join(printable(well_formed(text)).split())[:most]


class _Ready(BaseHeader):
    """A field that is encoded already and only has to be folded at its spaces.

    The library loses spaces between encoded words and encodes long Message-IDs, which nobody could read then.
    """

    max_count: ClassVar[Literal[1] | None] = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds["parse_tree"] = UnstructuredHeader.value_parser("")
        kwds["decoded"] = value

    def fold(self, *, policy: Policy[Any]) -> str:
        lines = [f"{self.name}:"]
        for word in str(self).split():
            if len(lines[-1]) + 1 + len(word) > _WIDTH and lines != [f"{self.name}:"]:
                lines.append("")
            lines[-1] += f" {word}"
        return policy.linesep.join(lines) + policy.linesep


@functools.cache
def _policy() -> EmailPolicy[EmailMessage]:
    registry = HeaderRegistry()
    for name in ("from", "to", "subject", "message-id", "in-reply-to", "references"):
        registry.map_to_type(name, _Ready)
    return SMTP.clone(cte_type="7bit", header_factory=registry)

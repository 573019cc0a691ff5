"""The header fields of a mail or of a part of one: cut out, unfolded, decoded. Pure; never raises."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import collapse_rfc2231_value, parsedate_to_datetime

from channels.adapters.email.charsets import decoded, printable

BLOCK_LIMIT = 256 * 1024
"""Bytes of a header block that are read."""

FIELD_LIMIT = 32 * 1024
"""Characters of a field that are read."""

_MADE_UP = "@without-message-id.invalid>"
_FIELDS = 2000
_REFERENCES = 100

_BLANK = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_WORDS = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields in the order in which they stand, topmost first; values are unfolded and not yet decoded."""

    fields: tuple[tuple[str, str], ...] = ()

    def all(self, name: str) -> tuple[str, ...]:
        """The values of every field of this name, in any case."""
        wanted = name.lower()
        return tuple(value for field, value in self.fields if field.lower() == wanted)

    def one(self, name: str) -> str:
        """The first field's value; "" where there is none."""
        return next(iter(self.all(name)), "")


def read_headers(raw: bytes) -> Headers:
    """The header of a raw mail (or of its first bytes, as IMAP's BODY.PEEK[HEADER] brings them)."""
    return header_at(raw, 0, len(raw))[0]


def header_at(raw: bytes, start: int, end: int) -> tuple[Headers, int]:
    """The header that begins at `start`, and where the body begins."""
    body = _body_start(raw, start, end)
    fields: list[tuple[bytes, list[bytes]]] = []
    at = start
    for line in raw[start : min(body, start + BLOCK_LIMIT)].split(b"\n"):
        if line[:1] in {b" ", b"\t"} and fields:
            fields[-1][1].append(line)
        elif match := _FIELD.match(line):
            if len(fields) == _FIELDS:
                break
            fields.append((match[1], [line[match.end() :]]))
        elif line.strip() and not (at == start and line.startswith((b"From ", b">From "))):
            # As servers do: what is no field begins the body.
            return Headers(tuple(map(_field, fields))), at
        at += len(line) + 1
    return Headers(tuple(map(_field, fields))), body


def _body_start(raw: bytes, start: int, end: int) -> int:
    for empty in (b"\n", b"\r\n"):
        if raw.startswith(empty, start, end):
            return start + len(empty)
    blank = _BLANK.search(raw, start, end)
    return blank.end() if blank else end


def _field(field: tuple[bytes, list[bytes]]) -> tuple[str, str]:
    """A lone carriage return is a space: it must not begin a field."""
    name, lines = field
    value = b"".join(line.rstrip(b"\r") for line in lines)[: 4 * FIELD_LIMIT]
    text = printable(decoded(value, "")).replace("\n", " ").replace("\r", " ")
    return name.decode("ascii"), text.strip()[:FIELD_LIMIT]


def words(value: str) -> str:
    """A field as people read it: encoded words (RFC 2047) decoded, white space in order.

    Neighbouring words of one charset are joined before they are decoded, since programs cut within characters.
    """
    out, end = [], 0
    charset, waiting = "", b""
    for match in _WORDS.finditer(value):
        between = value[end : match.start()]
        if waiting and (between.strip() or match[1].lower() != charset):
            out.append(decoded(waiting, charset))
            waiting = b""
            between = between if between.strip() else ""
        if not waiting:
            out.append(between if between.strip() or not end else "")
        charset, end = match[1].lower(), match.end()
        waiting += _word_bytes(match[2], match[3])
    out += [decoded(waiting, charset), value[end:]]
    return " ".join(printable("".join(out)).split())


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "bB":
        return base64(data)
    return binascii.a2b_qp(data.replace(b"_", b"=20"))


def base64(data: bytes) -> bytes:
    """As much of it as can be read."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        letters = letters[:-1] if len(letters) % 4 == 1 else letters
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """A field such as Content-Type: its value in lower case and its parameters (RFC 2231 decoded)."""
    message, value = Message(), " ".join(value[:4096].split())
    found: dict[str, str] = {}
    try:
        message["Field"] = value
        for name, content in message.get_params([], "Field")[1:]:
            text = collapse_rfc2231_value(content)
            found.setdefault(name.lower(), words(text))
    except (ValueError, LookupError, TypeError, AttributeError):
        # The library trips over some malformed parameters; the others were read.
        found.setdefault("", "")
    return value.partition(";")[0].strip().lower(), found


def date_of(value: str) -> datetime | None:
    """In UTC."""
    try:
        date = parsedate_to_datetime(value[:200])
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def message_ids(value: str) -> tuple[str, ...]:
    """Those of a field such as References; of very many the first and the last."""
    found = _MESSAGE_ID.findall(value)
    return tuple(found if len(found) <= _REFERENCES else [found[0], *found[1 - _REFERENCES :]])


def made_up_id(digest: str) -> str:
    """For a mail that came without a Message-ID."""
    return f"<{digest}{_MADE_UP}"


def is_made_up(message_id: str) -> bool:
    return message_id.endswith(_MADE_UP)

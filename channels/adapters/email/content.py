"""What the parts of a mail hold: its text, what it passes on, its files. Pure; never raises."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass, field

from channels.adapters.email import invitation, lines, tnef
from channels.adapters.email.addresses import addresses
from channels.adapters.email.charsets import decoded, printable
from channels.adapters.email.headers import words
from channels.adapters.email.html_text import from_html, text_of
from channels.adapters.email.lines import Line
from channels.adapters.email.mime import Part
from channels.types import Attachment, Media, Quote


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a whole mail and of an attachment, characters of its text, and a number of attachments."""

    mail: int = 40 * 1024 * 1024
    attachment: int = 20 * 1024 * 1024
    attachments: int = 30
    text: int = 100_000


_FOR_PROGRAMS = frozenset(
    {
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/applefile",
        "message/delivery-status",
        "message/disposition-notification",
        "text/rfc822-headers",
    }
)
_ENCRYPTED = frozenset(
    {
        "application/pkcs7-mime",
        "application/x-pkcs7-mime",
        "application/pgp-encrypted",
    }
)
_BODIES = frozenset(
    {
        "text/plain",
        "text/html",
        "text/markdown",
        "text/enriched",
    }
)
_CALENDARS = frozenset(
    {
        "text/calendar",
        "application/ics",
    }
)
_RFC822 = frozenset(
    {
        "message/rfc822",
        "message/global",
    }
)

_NO_WORDS = re.compile(
    r"(?:does not|doesn't|cannot|can't|unable to) (?:support|display|read|view|show)[^.]{0,60}html|"
    r"html[- ](?:capable|compatible|enabled|format)|(?:to|please) view (?:it|this)|"
    r"(?:in|with) (?:your|a) (?:web )?browser|"
    r"unterstützt kein html|im browser (?:öffnen|ansehen)",
    re.IGNORECASE,
)
_LONGEST_NOTE = 400

_MEDIA = {"image": Media.IMAGE, "audio": Media.AUDIO, "video": Media.VIDEO}


@dataclass(slots=True)
class Content:
    """`written` is the body, with what it quotes."""

    limits: Limits
    written: list[Line] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    more: list[str] = field(default_factory=list)


def gather(part: Part, limits: Limits) -> Content:
    content = Content(limits)
    _visit(part, content, words_too=True)
    return content


def _visit(part: Part, content: Content, *, words_too: bool) -> None:
    if part.type in _RFC822:
        _forwarded(part, content)
    elif part.type == "multipart/alternative":
        chosen = _best(part.children, content.limits)
        for number, child in enumerate(part.children):
            _visit(child, content, words_too=words_too and number == chosen)
    elif part.type == "multipart/encrypted":
        content.more.append("It is encrypted, which can't be read.")
    elif part.type.startswith("multipart/"):
        for child in part.children:
            _visit(child, content, words_too=words_too)
    else:
        _leaf(part, content, words_too=words_too)


def _leaf(part: Part, content: Content, *, words_too: bool) -> None:
    if part.type in _FOR_PROGRAMS:
        return
    if part.type in _ENCRYPTED:
        content.more.append("A part of it is encrypted or sealed, which can't be read.")
    elif part.type == "application/ms-tnef" or part.name.lower() == "winmail.dat":
        _packed(part, content)
    elif part.type in _CALENDARS and part.disposition != "attachment":
        _calendar(part, content)
    elif part.type in _BODIES and not _is_file(part, content):
        if words_too:
            _append(content.written, body_lines(part, content.limits))
    else:
        _attach(part, content)


def _is_file(part: Part, content: Content) -> bool:
    """Apple shows text files within the mail; a name alone is no sign, if there is no other body."""
    if part.disposition == "attachment":
        return True
    return bool(part.name) and (part.disposition == "inline" or bool(content.written))


def _append(written: list[Line], found: list[Line]) -> None:
    if written and found:
        written.append(Line(0, ""))
    written += found


def _best(parts: tuple[Part, ...], limits: Limits) -> int:
    """Plain text, unless it says nothing; else the last form with words, which is its program's best."""
    with_words = [
        number for number, part in enumerate(parts) if any(leaf.type in _BODIES for leaf in part.walk())
    ]
    for number in with_words:
        if parts[number].type == "text/plain" and _says_something(parts[number], limits):
            return number
    return with_words[-1] if with_words else -1


def _says_something(part: Part, limits: Limits) -> bool:
    text = " ".join(line.text for line in body_lines(part, limits)[:200]).strip()
    if len(text) <= _LONGEST_NOTE and _NO_WORDS.search(text):
        return False
    return any(char.isalnum() for char in text)


def body_lines(part: Part, limits: Limits) -> list[Line]:
    """A text part as lines, quotations marked."""
    text = _text(part, limits)
    if part.type == "text/html" or text.lstrip()[:20].lower().startswith(("<!doctype html", "<html")):
        return from_html(text)
    text = text[: 3 * limits.text]
    if part.parameters.get("format", "").lower() == "flowed":
        return lines.flowed(text, delsp=part.parameters.get("delsp", "").lower() == "yes")
    return lines.fixed(text)


def _text(part: Part, limits: Limits) -> str:
    text = decoded(part.content(8 * limits.text), part.parameters.get("charset", ""))
    return printable(text.replace("\r\n", "\n").replace("\r", "\n"))


def _calendar(part: Part, content: Content) -> None:
    text = invitation.render(_text(part, content.limits))
    if text and all(quote.text != text for quote in content.quotes):
        content.quotes.append(Quote(text[: content.limits.text], "a calendar invitation"))
    elif not text:
        _attach(part, content)


def _forwarded(part: Part, content: Content) -> None:
    """A mail within the mail: all of it is passed on, its files too."""
    if not part.children:
        content.more.append("A mail within it is nested too deeply to be read.")
        return
    letter = part.children[0]
    inside = gather(letter, content.limits)
    sender = next(iter(addresses(letter.headers.one("From"))), ("", ""))
    author = f"{sender[0]} <{sender[1]}>" if all(sender) else "".join(sender)
    heads = [("From", author)] + [(name, words(letter.headers.one(name))) for name in ("Date", "Subject")]
    head = "\n".join(f"{name}: {value[:500]}" for name, value in heads if value)
    text = f"{head}\n\n{text_of(inside.written).strip()}".strip()
    if len(text) > content.limits.text:
        content.more.append("A forwarded mail was cut: it is too long.")
    content.quotes.append(Quote(text[: content.limits.text], source_of(author)))
    content.quotes += inside.quotes
    content.more += inside.more
    for attachment in inside.attachments:
        _keep(attachment, content)


def source_of(author: str) -> str:
    """The label of a forwarded mail; its author's name comes from outside and must not look like more than one."""
    name = " ".join(re.sub(r"[^\w@.+' -]", " ", author).split())[:80]
    return f"forwarded from {name}" if name else "a forwarded mail"


def _packed(part: Part, content: Content) -> None:
    found = tnef.unpack(part.content(content.limits.attachment)) if _fits(part, content) else None
    if found is None:
        _attach(part, content)
        return
    if found.text and not content.written:
        content.written += lines.fixed(
            found.text.replace("\r\n", "\n").replace("\r", "\n")[: 3 * content.limits.text]
        )
    for file in found.files:
        mime = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        _keep(_attachment(file.name, mime, file.content), content)


def _attach(part: Part, content: Content) -> None:
    if not _fits(part, content):
        _too_large(part.name, content)
        return
    mime = part.type
    if mime == "application/octet-stream":
        mime = mimetypes.guess_type(part.name)[0] or mime
    _keep(_attachment(part.name, mime, part.content(content.limits.attachment)), content)


def _attachment(name: str, mime: str, data: bytes) -> Attachment:
    kind = _MEDIA.get(mime.partition("/")[0], Media.FILE)
    return Attachment(kind, " ".join(printable(name).split())[:200], mime[:100], len(data), content=data)


def _fits(part: Part, content: Content) -> bool:
    """Judged before anything is decoded, as base64 grows by a third and some."""
    return part.encoded_size <= content.limits.attachment * 3 // 2 + 4096


def _keep(attachment: Attachment, content: Content) -> None:
    if attachment.size > content.limits.attachment:
        _too_large(attachment.name, content)
    elif len(content.attachments) >= content.limits.attachments:
        note = f"Of its attachments only {content.limits.attachments} were taken."
        content.more += [] if note in content.more else [note]
    elif not attachment.content:
        content.more.append(f"{_called(attachment.name)} is empty.")
    else:
        content.attachments.append(attachment)


def _too_large(name: str, content: Content) -> None:
    size = content.limits.attachment
    most = f"{size // 1024 // 1024} MB" if size >= 1024 * 1024 else f"{size} bytes"
    content.more.append(f"{_called(name)} was left out: it is larger than {most}.")


def _called(name: str) -> str:
    return f"The attachment {name[:100]}" if name else "An attachment without a name"

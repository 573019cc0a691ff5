"""What a message holds beside its text: files and quotes, as they stand in its row and as a model reads them. Pure."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from bot.safety.rules import Trust
from bot.text import valid
from channels.types import Attachment, Inbound, Media, Quote

INBOX = "inbox"
"""The folder of the workspace in which files lie that people sent."""
_LONGEST_NAME = 160
"""Bytes of a file's name without its end."""
_LONGEST_QUOTE = 20_000
"""Characters of one quote."""
_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
"""What models take."""
_LARGEST_PICTURE = 4_000_000
"""Bytes; Anthropic takes five megabytes at most, in base64."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that came with a message. `path` is where it lies below the workspace, "" until it is there; `error` says
    why it never will be. `heard` is what was said in it, `by` who wrote that down.
    """

    kind: Media
    name: str = ""
    mime: str = ""
    size: int = 0
    ref: str = ""
    path: str = ""
    error: str = ""
    heard: str = ""
    by: str = ""

    @property
    def open(self) -> bool:
        """Whether something is still to be done about it."""
        return not self.error and (not self.path or (self.kind is Media.VOICE and not self.by))

    @property
    def picture(self) -> bool:
        return bool(self.path) and self.mime in _PICTURES and 0 < self.size <= _LARGEST_PICTURE

    def row(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Arrival:
        known = {field.name for field in fields(cls)}
        return cls(**{**{k: v for k, v in row.items() if k in known}, "kind": Media(row["kind"])})


def arrival(attachment: Attachment) -> Arrival:
    """What is known of a file before it is fetched."""
    name = valid(attachment.name)[:200]
    mime = attachment.mime.partition(";")[0].strip().lower() or mimetypes.guess_type(name)[0] or ""
    return Arrival(attachment.kind, name, valid(mime)[:100], attachment.size, attachment.ref)


def attachment(of: Arrival) -> Attachment:
    """As the channel knows it."""
    return Attachment(of.kind, of.name, of.mime, of.size, of.ref)


def folder(person: str, inbound_key: str, at: datetime) -> PurePosixPath:
    """Where a message's files lie below the workspace: always the same for the same message."""
    mark = hashlib.sha256(inbound_key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return PurePosixPath(INBOX, person, f"{at:%Y-%m-%d}-{mark}")


def safe_name(of: Arrival, number: int) -> str:
    """A file name that harms nobody, whatever the sender called it; unique by its number among a message's files."""
    guessed = mimetypes.guess_extension(of.mime) or ""
    name = PurePosixPath(of.name.replace("\\", "/")).name
    stem, dot, end = name.rpartition(".")
    stem, end = (stem, end) if dot and stem else (name, guessed.lstrip("."))
    stem = re.sub(r"[^\w-]+", "_", stem).strip("_-").encode()[:_LONGEST_NAME].decode(errors="ignore")
    stem = stem or str(of.kind)
    end = re.sub(r"[^A-Za-z0-9]", "", end)[:10].lower()
    numbered = f"{stem}-{number + 1}" if number else stem
    return f"{numbered}.{end}" if end else numbered


def quoted(quote: Quote, trust: Trust) -> dict[str, str]:
    """A quote as it stands in its message's row."""
    return {
        "text": valid(quote.text)[:_LONGEST_QUOTE],
        "source": " ".join(valid(quote.source).split())[:200],
        "trust": trust,
    }


def listed(found: Iterable[Arrival]) -> list[dict[str, Any]] | None:
    return [one.row() for one in found] or None


def begun(inbound: Inbound) -> list[dict[str, Any]] | None:
    """The files of a message as it arrives."""
    return listed(map(arrival, inbound.attachments))


# As a model reads them


def spoken(files: Iterable[Arrival]) -> str:
    """What was said in a message's voice notes, in its sender's own words."""
    return "\n".join(f"(voice message, written down by a machine) {one.heard}" for one in files if one.heard)


def files_note(files: Iterable[Arrival]) -> str:
    """One line for each file; its name is its sender's program's, made harmless."""
    return "\n".join(_line(one) for one in files if not one.heard)


def quotes_note(quotes: Iterable[Mapping[str, str]]) -> str:
    return "\n\n".join(f"[{quote['source']}]\n{_marked(quote['text'])}" for quote in quotes)


def _line(one: Arrival) -> str:
    kind = {"image": "picture", "voice": "voice message", "audio": "recording"}.get(one.kind, one.kind)
    size = f", {_bytes(one.size)}" if one.size else ""
    if not one.path:
        return f"[{kind}{size}, not here: {one.error or 'it was not fetched'}]"
    fault = f"; {one.error}" if one.error else ""
    return f"[{kind}: {one.path}{size}{fault}]"


def _bytes(size: int) -> str:
    for unit, least in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= least:
            return f"{size / least:.1f} {unit}"
    return f"{size} bytes"


def _marked(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())

"""What a recording is, by its first bytes: names and types that come along say little. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Format:
    """`ending` is the one of a file's name by which servers know it."""

    ending: str
    media_type: str


OGG = Format("ogg", "audio/ogg")
_KNOWN: tuple[tuple[Callable[[bytes], bool], Format], ...] = (
    (lambda head: head.startswith(b"OggS"), OGG),
    (lambda head: head.startswith(b"RIFF") and head[8:12] == b"WAVE", Format("wav", "audio/wav")),
    (lambda head: head.startswith(b"fLaC"), Format("flac", "audio/flac")),
    (lambda head: head.startswith(b"\x1aE\xdf\xa3"), Format("webm", "audio/webm")),
    (lambda head: head[4:8] == b"ftyp" and head[8:11] != b"3gp", Format("m4a", "audio/mp4")),
    (lambda head: head.startswith(b"ID3"), Format("mp3", "audio/mpeg")),
    # A frame of MPEG audio, layer III; layer 0 would be AAC's ADTS, which OpenAI doesn't take.
    (lambda head: len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2, Format("mp3", "audio/mpeg")),
)
"""Those that OpenAI's page "Speech to text" lists."""


def known(head: bytes) -> Format | None:
    """The format of a file that begins so; None for what no provider takes as it is."""
    return next((format_ for fits, format_ in _KNOWN if fits(head)), None)


def recognise(path: Path) -> Format | None:
    """As `known`, of a file. Raises OSError."""
    with path.open("rb") as file:
        return known(file.read(16))

"""Recordings are known by their first bytes."""

from __future__ import annotations

import pytest

from bot.voice.formats import known

KNOWN = {
    b"OggS\x00\x02\x00\x00\x00\x00\x00\x00": "ogg",
    b"RIFF\x24\x08\x00\x00WAVEfmt ": "wav",
    b"fLaC\x00\x00\x00\x22": "flac",
    b"\x1aE\xdf\xa3\x01\x00\x00\x00": "webm",
    b"\x00\x00\x00\x20ftypM4A ": "m4a",
    b"\x00\x00\x00\x20ftypisom": "m4a",
    b"ID3\x04\x00\x00": "mp3",
    b"\xff\xfb\x90\x64": "mp3",
    b"\xff\xf3\x40\xc4": "mp3",
}
FOREIGN = [
    b"",
    b"\xff",
    b"#!AMR\n",
    b"\x00\x00\x00\x1cftyp3gp4",
    b"\xff\xf1\x50\x80",
    b"RIFF1234AVI ",
    b"%PDF-1.7",
]


@pytest.mark.parametrize("head", KNOWN)
def test_what_providers_take_is_known(head: bytes) -> None:
    found = known(head)

    assert found is not None
    assert found.ending == KNOWN[head]


@pytest.mark.parametrize("head", FOREIGN)
def test_anything_else_has_to_be_packed_anew(head: bytes) -> None:
    assert known(head) is None

"""Files in Outlook's winmail.dat. Pure; never raises.

The format: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxtnef
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from channels.adapters.email.charsets import decoded, printable

_SIGNATURE = 0x223E9F78
_MOST_ATTRIBUTES = 2000

_BODY = 0x0002800C
_ATTACHMENT_BEGINS = 0x00069002
_TITLE = 0x00018010
_DATA = 0x0006800F
_PROPERTIES = 0x00069005

_LONG_NAMES = (b"\x1f\x00\x07\x37", b"\x1e\x00\x07\x37")
"""The property PidTagAttachLongFilename, as UTF-16 and as bytes."""


@dataclass(slots=True)
class Packed:
    name: str = ""
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a winmail.dat holds; `text` only where it is kept as plain text."""

    text: str
    files: tuple[Packed, ...]


def unpack(data: bytes) -> Unpacked | None:
    """None for what is no such file, or a broken one."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        return None
    text, files = "", [Packed()]
    for kind, value in _attributes(data):
        if kind == _BODY:
            text = printable(decoded(value.rstrip(b"\0"), "")).strip()
        elif kind == _ATTACHMENT_BEGINS:
            files.append(Packed())
        elif kind == _TITLE:
            files[-1].name = files[-1].name or decoded(value.split(b"\0")[0], "")
        elif kind == _PROPERTIES:
            files[-1].name = _long_name(value) or files[-1].name
        elif kind == _DATA:
            files[-1].content = value
    return Unpacked(text, tuple(file for file in files if file.content))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 6
    for _ in range(_MOST_ATTRIBUTES):
        if at + 9 > len(data):
            return
        _, kind, size = struct.unpack_from("<BII", data, at)
        at += 9
        if at + size > len(data):
            return
        yield kind, data[at : at + size]
        at += size + 2  # a check sum follows


def _long_name(properties: bytes) -> str:
    """The name is one of many properties; it is found by its tag, a count of one and its length."""
    for tag in _LONG_NAMES:
        at = properties.find(tag)
        if at < 0 or at + 12 > len(properties):
            continue
        count, size = struct.unpack_from("<II", properties, at + 4)
        name = properties[at + 12 : at + 12 + size]
        if count == 1 and 0 < size <= 1024 and len(name) == size:
            wide = tag is _LONG_NAMES[0]
            return printable(decoded(name, "utf-16-le" if wide else "").split("\0")[0])
    return ""

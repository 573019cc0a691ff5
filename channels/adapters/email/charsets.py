"""Bytes become text although mails name their charset wrongly, not at all, or one that nobody knows. Pure."""

from __future__ import annotations

import codecs
import re

# What programs write, and what they mean by it: https://encoding.spec.whatwg.org/#names-and-labels
_MEANT = {
    "ansi": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "windows-874": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
    "cp-850": "cp850",
}

_NO_CHARSETS = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)

_JAPANESE = re.compile(rb"\x1b\$[@B]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\U000e0000-\U000e007f]")


def decoded(data: bytes, charset: str) -> str:
    """As the charset says where that can be; UTF-8 where the bytes are that, whatever was said. Never raises."""
    if data.isascii() and not _JAPANESE.search(data) and not _is_seven_bit(charset):
        return data.decode("ascii")
    named = _MEANT.get(charset.strip().lower(), charset.strip().lower())
    tried = ["utf-8", named] if named in {"", "cp1252"} else [named, "utf-8"]
    for name in (*(["iso-2022-jp"] if _JAPANESE.search(data) else []), *tried, "cp1252"):
        if (text := _strictly(data, name)) is not None:
            return text
    return data.decode(_usable(named) or "cp1252", "replace")


def _is_seven_bit(charset: str) -> bool:
    """Charsets whose ASCII bytes mean other characters."""
    return (
        charset.strip()
        .lower()
        .startswith(("utf-7", "unicode-1-1", "utf-16", "utf-32", "iso-2022", "hz", "cp037"))
    )


def _strictly(data: bytes, charset: str) -> str | None:
    name = _usable(charset)
    try:
        return data.decode(name) if name else None
    except ValueError:
        return None


def _usable(charset: str) -> str:
    """The codec's name; "" for what is no charset: unknown, or one of Python's other transformations."""
    try:
        name = codecs.lookup(charset).name
        b"".decode(name)
    except (LookupError, ValueError, TypeError):
        return ""
    return "" if name in _NO_CHARSETS else name


def printable(text: str) -> str:
    """Without control characters, lone surrogates, and the invisible tag characters that only programs read."""
    return _CONTROLS.sub("", text)

"""Where a text may be cut without tearing a character that a reader sees as one. Pure.

An approximation of Unicode's extended grapheme clusters (UAX #29) from what the standard library knows.
"""

from __future__ import annotations

import re
import unicodedata

_FARTHEST = 64
"""Characters to go back; a longer pile of combining marks is cut."""

_JOINER = "\u200d"
_EXTENDING = frozenset({"Mn", "Me", "Mc"})
_SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")
_TAGS = ("\U000e0020", "\U000e007f")
_FLAG_LETTERS = ("\U0001f1e6", "\U0001f1ff")
_OPEN_REFERENCE = re.compile(r"&#?\w{0,31}$|\\$")


def boundary_before(text: str, at: int, least: int) -> int:
    """The last boundary at or before `at` and behind `least`; `at` itself if there is none near."""
    for candidate in range(at, max(at - _FARTHEST, least), -1):
        if _is_boundary(text, candidate):
            return candidate
    return at


def _is_boundary(text: str, at: int) -> bool:
    if at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if before.isascii() and after.isascii():
        return before + after != "\r\n" and not _OPEN_REFERENCE.search(text, max(at - 34, 0), at)
    if _JOINER in (before, after) or unicodedata.category(after) in _EXTENDING:
        return False
    if _within(after, _SKIN_TONES) or _within(after, _TAGS):
        return False
    return not (_within(after, _FLAG_LETTERS) and _flag_letters_before(text, at) % 2)


def _within(char: str, bounds: tuple[str, str]) -> bool:
    return bounds[0] <= char <= bounds[1]


def _flag_letters_before(text: str, at: int) -> int:
    count = 0
    while at > count and _within(text[at - count - 1], _FLAG_LETTERS):
        count += 1
    return count

"""A text body as lines with the depth at which each is quoted. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple


class Line(NamedTuple):
    """`depth` is 0 for what isn't quoted."""

    depth: int
    text: str


_QUOTED = re.compile(r"(?:> ?)+")
_FULL = (60, 80)
"""Characters of a line that a program would break at 72 to 80."""


def fixed(text: str) -> list[Line]:
    """Of a text whose lines end where they end."""
    lines = []
    for line in text.split("\n"):
        marks = _QUOTED.match(line)
        lines.append(Line(marks[0].count(">"), line[marks.end() :]) if marks else Line(0, line))
    return _mended(lines)


def _mended(lines: list[Line]) -> list[Line]:
    """Old programs break quoted lines where they are full and leave the rest without a mark: what stands directly
    below a full quoted line that ends within a sentence, and above another quoted line, isn't the sender's.
    """
    if any(line.depth and len(line.text) > _FULL[1] for line in lines):
        return lines  # a program that leaves long lines as they are
    at = 1
    while at < len(lines):
        before, end = lines[at - 1], at
        while (
            end < len(lines)
            and not lines[end].depth
            and lines[end].text.strip()
            and _is_full(lines[end - 1].text)
        ):
            end += 1
        if before.depth and at < end < len(lines) and lines[end].depth:
            lines[at:end] = [Line(before.depth, line.text) for line in lines[at:end]]
        at = max(end, at + 1)
    return lines


def _is_full(text: str) -> bool:
    return _FULL[0] <= len(text) <= _FULL[1] and not text.rstrip().endswith((".", "!", "?", ":", ";"))


def flowed(text: str, *, delsp: bool) -> list[Line]:
    """Of a text in format=flowed: https://www.rfc-editor.org/rfc/rfc3676"""
    lines: list[Line] = []
    parts: list[str] = []
    open_at = -1
    for raw in text.split("\n"):
        body = raw.lstrip(">")
        depth = len(raw) - len(body)
        body = body.removeprefix(" ")
        if open_at not in {-1, depth} or (open_at >= 0 and body == "-- "):
            lines.append(Line(open_at, "".join(parts)))
            parts, open_at = [], -1
        if body.endswith(" ") and body != "-- ":
            parts.append(body[:-1] if delsp else body)
            open_at = depth
        else:
            lines.append(Line(depth, "".join([*parts, body])))
            parts, open_at = [], -1
    return [*lines, Line(open_at, "".join(parts))] if open_at >= 0 else lines

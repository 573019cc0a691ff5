"""A text body as lines with the depth at which each is quoted. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple


class Line(NamedTuple):
    """`depth` is 0 for what isn't quoted."""

    depth: int
    text: str


_QUOTED = re.compile(r"(?:> ?)+")
_SHORT_BREAK = 60


def fixed(text: str) -> list[Line]:
    """Of a text whose lines end where they end."""
    lines = []
    for line in text.split("\n"):
        marks = _QUOTED.match(line)
        lines.append(Line(marks[0].count(">"), line[marks.end() :]) if marks else Line(0, line))
    return _mended(lines)


def _mended(lines: list[Line]) -> list[Line]:
    """Programs that break long quoted lines leave the rest without a mark: such a line between two quoted ones that
    begins where a long one ended isn't the sender's.
    """
    for number in range(1, len(lines) - 1):
        before, line, after = lines[number - 1 : number + 2]
        torn = before.depth and after.depth and len(before.text) >= _SHORT_BREAK and line.text.strip()
        if not line.depth and torn:
            lines[number] = Line(before.depth, line.text)
    return lines


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

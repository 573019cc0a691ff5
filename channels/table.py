"""Tables for places without tables: aligned columns in a fixed-width font. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

Row = Sequence[str]


def width(text: str) -> int:
    """Columns in a fixed-width font: wide East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def aligned(rows: Sequence[Row], aligns: Sequence[str]) -> list[str]:
    """One line per row, a rule below the first row. `aligns` holds "left", "right" or "center" per column."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [" │ ".join(map(_fill, row, widths, aligns)).rstrip() for row in rows]
    lines.insert(1, "─┼─".join("─" * size for size in widths))
    return lines


def _fill(cell: str, size: int, align: str) -> str:
    room = size - width(cell)
    if align == "right":
        return " " * room + cell
    if align == "center":
        return " " * (room // 2) + cell + " " * (room - room // 2)
    return cell + " " * room

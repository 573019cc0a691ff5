"""What is said of each key of an old file: where it went, or why it went nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What became of a setting; the value is the heading that it is listed under."""

    UNSAFE = "unsafe there, and not taken over as it was"
    TODO = "for you to do"
    WRONG = "wrong in the old file, and left out"
    KEPT = "kept"
    CHANGED = "kept, but not quite the same"
    DROPPED = "left out: there is nothing like it here"
    IDLE = "without effect, there or here"


@dataclass(frozen=True, slots=True)
class Note:
    """`old` is the key in the old file ("" for none), `line` where it stands (0: nowhere), `new` where it went.

    `text` is one line, or "" where the two keys say it all. No secret is ever in one.
    """

    fate: Fate
    old: str
    new: str = ""
    text: str = ""
    line: int = 0

    def said(self) -> str:
        place = f"{self.old} (line {self.line})" if self.old and self.line else self.old
        way = f"{place} -> {self.new}" if place and self.new else place or self.new
        return f"{way}: {self.text}" if way and self.text else way or self.text


def of_fate(notes: Sequence[Note], fate: Fate) -> list[Note]:
    """Those of one kind, each once, in the order of the old file; what stands nowhere in it comes last."""
    chosen = dict.fromkeys(note for note in notes if note.fate is fate)
    return sorted(chosen, key=lambda note: note.line or 1_000_000)

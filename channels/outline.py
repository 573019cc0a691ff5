"""Where the blocks of a Markdown text begin, and what it takes to cut one in the middle. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from enum import IntEnum

from markdown_it.token import Token

from channels.markup import parser

_CONTAINERS = re.compile(r"(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t])))*[ \t]*")
_NOT_QUOTE = re.compile(r"[^>\s]")
_OPEN_LINK = re.compile(r"\[[^]]*$|\]\([^)\s]*$")


class Border(IntEnum):
    """What a cut separates; the lower, the better."""

    BLOCKS = 0
    ITEMS = 1
    LINES = 2
    SENTENCES = 3
    WORDS = 4
    WORDS_IN_MARKUP = 5


@dataclass(frozen=True, slots=True)
class Span:
    """A code block or table; a cut behind `body` puts `closing` before itself and `opening` behind."""

    kind: str
    start: int
    body: int
    end: int
    opening: str = ""
    closing: str = ""

    def holds(self, at: int) -> bool:
        return self.start < at < self.end


class Outline:
    """The structure of the first `size` characters of a text."""

    def __init__(self, text: str, size: int) -> None:
        self._text = text
        self._size = size
        window = text[:size]
        self._lines = [0, *(match.end() for match in re.finditer("\n", window))]
        self.starts: dict[int, Border] = {}
        self.spans: list[Span] = []
        heading = False
        for token in parser().parse(window):
            if token.map and token.nesting >= 0 and token.type != "inline":
                rank = Border.LINES if heading else Border.ITEMS if token.level else Border.BLOCKS
                self.starts.setdefault(self._offset(token.map[0]), rank)
                heading = token.type == "heading_open"
                self._note_span(token)
        self._sorted = sorted(self.starts)

    def in_markup(self, at: int) -> bool:
        """Whether bold text, a code span or a link seems to be open there."""
        if self.span_at(at):
            return False
        block = bisect_left(self._sorted, at) - 1
        before = self._text[self._sorted[block] if block >= 0 else 0 : at]
        if any(before.count(pair) % 2 for pair in ("`", "**", "~~")):
            return True
        return bool(_OPEN_LINK.search(before, max(before.rfind("["), 0)))

    def span_at(self, at: int) -> Span | None:
        """The innermost block that a cut there would tear."""
        return next((span for span in reversed(self.spans) if span.holds(at)), None)

    def _offset(self, line: int) -> int:
        return self._lines[line] if line < len(self._lines) else self._size

    def _line(self, number: int) -> str:
        return self._text[self._offset(number) : self._offset(number + 1)]

    def _note_span(self, token: Token) -> None:
        first, last = token.map or (0, 0)
        start = self._offset(first)
        if token.type == "fence":
            self.spans.append(self._fence(token, first, last))
        elif token.type == "code_block" and not token.level:
            self.spans.append(Span("indented", start, start, self._open_end(last), " " * 4))
        elif token.type == "table_open":
            head = self._line(first)
            opening = containers(head) + head[len(containers(head)) :] + self._line(first + 1)
            self.spans.append(Span("table", start, self._offset(first + 2), self._open_end(last), opening))

    def _fence(self, token: Token, first: int, last: int) -> Span:
        line = self._line(first)
        lead = containers(line)
        language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
        closer = re.compile(rf"[ \t>]*{re.escape(token.markup)}{token.markup[0]}*[ \t]*\n?")
        end = self._offset(last)
        closed = last - first > 1 and closer.fullmatch(self._line(last - 1))
        if not closed and not self._text[end : self._size].strip():
            end = self._size + 1  # goes on behind what was read
        opening, closing = f"{lead}{token.markup}{language}\n", lead + token.markup
        return Span("fence", self._offset(first), self._offset(first) + len(line), end, opening, closing)

    def _open_end(self, line: int) -> int:
        """The end of a block that only the line behind it ends, which may lie outside."""
        end = self._offset(line)
        if end < self._size or not self._text[end:].partition("\n")[0].strip():
            return end
        return self._size + 1


def containers(line: str) -> str:
    """What stands before a line's own content; list markers, which are not to be repeated, as spaces."""
    match = _CONTAINERS.match(line)
    return _NOT_QUOTE.sub(" ", match[0]) if match else ""

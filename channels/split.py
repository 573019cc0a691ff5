"""Cuts Markdown into pieces within a channel's limit, each complete in itself. Pure.

A piece is within the limit when both its source and what a channel's measure finds in its rendering are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from channels.graphemes import boundary_before
from channels.markup import Event, parse, utf16_units, visible, well_formed, whatsapp
from channels.outline import Border, Outline, Span, containers

_LEAST_FILL = 0.45
"""How full a piece must be for a border to be good enough, if there is a later one of a lesser kind."""

_REPEATED = 4
"""A code block's opening line or a table's head is repeated if it takes at most a quarter of a piece."""

_SENTENCE_END = re.compile(r"[.!?…][\"')\]*_\u00bb\u2019\u201d]*\s+|[\u3002\uff01\uff1f]\s*")
_SPACE = re.compile(r"\s+")

_DEFINITION = re.compile(
    r"^ {0,3}\[([^]\[]+)\]:[ \t]*(?:<([^<>\n]+)>|([^\s<>]+))[ \t]*(?:[ \t][\"'(].*)?$", re.MULTILINE
)
_REFERENCE = re.compile(
    r"\\.|(?<!`)(`++)(?:.*?[^`])\1(?!`)|\[([^]\[]+)\](?:\[([^]\[]*)\])?(?![(:\[])", re.DOTALL
)
"""A link whose address is defined elsewhere; an escape or code first, since nothing in them is one."""

Measure = Callable[[Sequence[Event]], int]
"""How long a channel finds a rendered text, in the units of its limit."""


def seen(events: Iterable[Event]) -> int:
    """UTF-16 code units of what a reader sees: how Telegram counts."""
    return utf16_units(visible(events))


def rendered(events: Iterable[Event]) -> int:
    """UTF-16 code units of the text with WhatsApp's marks: never less than its servers count."""
    return utf16_units(whatsapp(events))


def split(markdown: str, limit: int, measure: Measure = seen) -> list[str]:
    """Pieces of at most `limit` units, in order; none for a text in which nothing is visible.

    A cut code block is closed and opened again in the same language, a table's head is repeated. Cuts fall
    between blocks, list items, lines, sentences or words, in this order of preference, and never within a
    character that a reader sees as one.
    """
    pieces = []
    repeated, rest = 0, well_formed(markdown)
    room = _Room(limit, measure)
    if room.fits(rest) is None:
        rest = _referred(rest)
    while (events := room.fits(rest)) is None:
        piece, repeated, rest = _cut(rest, repeated, room)
        if visible(parse(piece)).strip():
            pieces.append(piece)
    return [*pieces, _trimmed(rest)] if visible(events).strip() else pieces


@dataclass(frozen=True, slots=True)
class _Room:
    limit: int
    measure: Measure

    def fits(self, text: str) -> list[Event] | None:
        """A text as events; None if it is too long for one piece."""
        if len(text) > self.limit or utf16_units(text) > self.limit:
            return None
        events = parse(text)
        return events if self.measure(events) <= self.limit else None


def _referred(text: str) -> str:
    """With the addresses of links at the links, so that no piece needs what stands in another."""
    addresses = {_label(found[1]): found[2] or found[3] for found in _DEFINITION.finditer(text)}

    def link(found: re.Match[str]) -> str:
        address = addresses.get(_label(found[3] or found[2] or ""))
        return f"[{found[2]}](<{address}>)" if address else found[0]

    return _REFERENCE.sub(link, text) if addresses else text


def _label(written: str) -> str:
    return " ".join(written.split()).casefold()


def _cut(text: str, repeated: int, room: _Room) -> tuple[str, int, str]:
    """As `_apart`, for the longest first piece; the first `repeated` characters of `text` are repetition themselves.

    What grows in rendering, such as a table, needs a search for how much of the source makes a piece.
    """
    limit = room.limit
    low, high, units = 0, limit, limit
    longest = None
    while True:
        size = min(max(_characters(text, units), repeated + 1), len(text) - 1)
        outline = Outline(text, size)
        outline.spans = [span for span in outline.spans if utf16_units(span.opening) * _REPEATED <= limit]
        at = _border(text, size, repeated, outline)
        apart = _apart(text, at, outline)
        if at <= repeated + 1 or room.fits(apart[0]) is not None:
            low, longest = units, apart
        else:
            high = min(units, at)
        if longest and high - low <= max(high // 8, 1):
            return longest
        units = (low + high) // 2


def _characters(text: str, room: int) -> int:
    """How many characters fit into so many units."""
    head = text[:room]
    if head.isascii():
        return len(head)
    return len(head.encode("utf-16-le")[: 2 * room].decode("utf-16-le", "ignore"))


def _border(text: str, size: int, repeated: int, outline: Outline) -> int:
    """Where to cut: as late as the best kind of border allows."""
    borders = _borders(text, size, outline)
    best = {kind: at for at, kind in borders if at > repeated and not _opening_at(outline, at)}
    for _, at in sorted(best.items()):
        if at >= size * _LEAST_FILL:
            return at
    at = boundary_before(text, size, repeated)
    torn = _opening_at(outline, at)
    return torn.start if torn and torn.start > repeated else at


def _opening_at(outline: Outline, at: int) -> Span | None:
    """A block whose opening line or head a cut there would tear, or leave without anything below it."""
    return next((span for span in outline.spans if span.start < at <= span.body), None)


def _borders(text: str, size: int, outline: Outline) -> Iterator[tuple[int, Border]]:
    """All but those of the first half, in order for each kind."""
    middle = size // 2 if size > 200 else 0
    for match in re.compile("\n").finditer(text, 0, size):
        at = match.end()
        if at > middle or at in outline.starts:
            kind = outline.starts.get(at, Border.LINES)
            in_markup = kind is Border.LINES and outline.in_markup(at)
            yield at, Border.WORDS_IN_MARKUP if in_markup else kind
    for kind, pattern in ((Border.SENTENCES, _SENTENCE_END), (Border.WORDS, _SPACE)):
        for match in pattern.finditer(text, middle, size + 1):
            at = min(match.end(), size)
            yield at, Border.WORDS_IN_MARKUP if outline.in_markup(at) else kind


def _apart(text: str, at: int, outline: Outline) -> tuple[str, int, str]:
    """The piece before a cut, how much of the rest repeats what was interrupted, and the rest."""
    head, tail = text[:at], text[at:]
    line = head[head.rfind("\n") + 1 :]
    span = outline.span_at(at)
    if span is None or (span.kind == "table" and line):
        lead = containers(line)
        tail = tail.lstrip(" ") if line else _without_blank_start(tail)
        opening = lead if ">" in lead else ""
        indent = _indent(lead if line else tail)
    elif span.kind == "indented":
        opening, indent = span.opening if line else "", 0
    else:
        opening, indent = span.opening, _indent(span.opening)
    if span and span.closing:
        head += ("\n" if line else "") + span.closing
    opening = _dedented(opening, indent)
    # What is left of a line has lost its indentation already.
    first, newline, others = tail.partition("\n") if line else ("", "", tail)
    return _trimmed(head), len(opening), opening + first + newline + _dedented(others, indent)


def _indent(text: str) -> int:
    line = text.partition("\n")[0].expandtabs(4)
    return len(line) - len(line.lstrip(" "))


def _dedented(text: str, indent: int) -> str:
    """With up to so many spaces less at each line, so that what is left of a list doesn't turn into code."""
    lines = text.split("\n") if indent else []
    for number, line in enumerate(lines):
        if line.strip():
            indent = min(indent, _indent(line))
            body = line.lstrip(" \t")
            lead = line[: len(line) - len(body)].expandtabs(4)
            lines[number] = lead[indent:] + body
        if not indent:
            break
    return "\n".join(lines) or text


def _trimmed(text: str) -> str:
    return _without_blank_start(text).rstrip()


def _without_blank_start(text: str) -> str:
    """Without blank lines at the start; the first line keeps its indentation."""
    blank = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, blank) + 1 :]

"""Texts and marks in WhatsApp's own markup. Pure.

https://faq.whatsapp.com/539178204879377 names the marks: `*bold*`, `_italic_`, `~strike~`, inline and block code in
backticks, and lines that begin with "> ", "- ", "* " or a number. It has no escapes and no published grammar. What is
relied on: a mark opens where no letter or digit stands before it and no white space behind, and closes within the same
line where no white space stands before it and no letter or digit behind. Therefore

- a literal `*`, `_` or `~` that could open or close anything stands between hair spaces (U+200A), which are white space
  to every platform's text functions, as zero-width characters are not;
- in an address, where a space would end the link, it is percent-encoded, which means the same, and an address is never
  inside a mark, which would be taken for its end;
- a literal backtick becomes its look-alike U+02CB, as code may hold white space next to its marks;
- a mark that would touch a letter is parted from it by a zero-width space (U+200B), and so is a literal "> " or "- "
  from the beginning of its line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import takewhile

from channels.events import Event, Laid, Mark, Style, flowing

_SIGNS = {Style.BOLD: "*", Style.ITALIC: "_", Style.STRIKE: "~"}
_HAIR = "\u200a"
_GAP = "\u200b"
_BACKTICK = "\u02cb"
_BULLET = "• "
_LEAD = re.compile(r"(\s*)(?:[-*>](?=[\s*_~]|$)|\*(?=.*\*))")
_ADDRESS = re.compile(r"(?:https?|tg)://[^\s<>\"]*[^\s<>\"'.,;:!?)\]}*_~]", re.IGNORECASE)
_PARTS = re.compile(r"\s+|[*_~]|[^\s*_~]+")
_ENCODED = {"*": "%2A", "_": "%5F", "~": "%7E", "`": "%60"}


class _Kind(Enum):
    WORD = auto()
    SPACE = auto()
    SIGN = auto()
    """A literal `*`, `_` or `~`."""
    ADDRESS = auto()
    CODE = auto()
    """With its marks."""
    OPENS = auto()
    CLOSES = auto()


@dataclass(frozen=True, slots=True)
class _Part:
    kind: _Kind
    text: str
    styles: tuple[Style, ...] = ()


_LOOSE = (_Kind.SPACE, _Kind.SIGN)
"""What no style may begin or end with."""

_ENDS = (_Kind.CLOSES, _Kind.CODE)


def whatsapp(events: Iterable[Event]) -> str:
    """In WhatsApp's marks, links as their label followed by the address in brackets."""
    writer = _Writer()
    for event in flowing(events):
        if isinstance(event, Mark):
            writer.mark(event)
        else:
            writer.text(event)
    return writer.finished()


class _Writer:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._parts: list[_Part] = []
        self._lead = ""
        self._styles: list[Style] = []
        self._code: Style | None = None
        self._quoting = False
        self._quoted = False

    def finished(self) -> str:
        self._end_line()
        return "\n".join(self._lines)

    def mark(self, mark: Mark) -> None:
        style = mark.style
        if style in _SIGNS:
            if mark.closes:
                self._styles.pop()
            else:
                self._styles.append(style)
        elif style is Style.QUOTE:
            self._quoting = not mark.closes
            self._quoted = self._quoted or self._quoting
        elif style is Style.LINK and mark.closes:
            kinds = (_Kind.SPACE, _Kind.WORD, _Kind.ADDRESS, _Kind.WORD)
            self._parts += map(_Part, kinds, (" ", "(", mark.detail, ")"))
        elif style in {Style.CODE, Style.PRE}:
            self._code = None if mark.closes else style

    def text(self, text: str) -> None:
        if self._code is Style.PRE and not self._quoted:
            self._parts.append(_Part(_Kind.CODE, _block(text)))
            return
        for number, line in enumerate(text.split("\n")):
            if number:
                self._end_line()
            if self._code:
                self._inline_code(line)
            elif isinstance(text, Laid) and not self._parts:
                self._lead += line
            elif isinstance(text, Laid):  # a target behind its label, which no style reaches over
                styles, self._styles = self._styles, []
                self._plain(line)
                self._styles = styles
            else:
                self._plain(line)

    def _inline_code(self, line: str) -> None:
        code = line.strip()
        start = line.find(code)
        self._plain(line[:start])
        if "`" in code:
            self._parts.append(_Part(_Kind.CODE, _block(code)))  # which no mark may reach across
        elif code:
            self._add(_Kind.CODE, f"`{code}`")
        self._plain(line[start + len(code) :] if code else "")

    def _plain(self, line: str) -> None:
        done = 0
        for found in _ADDRESS.finditer(line):
            self._words(line[done : found.start()])
            self._parts.append(_Part(_Kind.ADDRESS, found[0]))
            done = found.end()
        self._words(line[done:])

    def _words(self, text: str) -> None:
        for part in _PARTS.findall(text.replace("`", _BACKTICK)):
            kind = _Kind.SPACE if part.isspace() else _Kind.SIGN if part in _ENCODED else _Kind.WORD
            self._add(kind, part)

    def _add(self, kind: _Kind, text: str) -> None:
        self._parts.append(_Part(kind, text, tuple(self._styles)))

    def _end_line(self) -> None:
        parts = self._parts if self._lead else _unled(self._parts)
        line = "".join(_escaped(list(_marked(parts))))
        bullet = self._lead.startswith(_BULLET)
        line = ("- " + self._lead.removeprefix(_BULLET) if bullet else self._lead) + line
        self._lines.append(f"> {line}" if self._quoted and line else line)
        self._parts, self._lead, self._quoted = [], "", self._quoting


def _unled(parts: list[_Part]) -> list[_Part]:
    """With a gap where literal text would begin a list or a quotation."""
    text = "".join(part.text for part in parts)
    if not (lead := _LEAD.match(text)):
        return parts
    at = 1 if lead[1] else 0
    return [*parts[:at], _Part(_Kind.WORD, _GAP), *parts[at:]]


def _block(code: str) -> str:
    """Code between three backticks, which it may not hold itself."""
    code = re.sub(r"``(?=`)", f"``{_GAP}", code.rstrip())
    start = "\n" if code[:1].isspace() else _GAP if code.startswith("`") else ""
    return f"```{start}{code}{_GAP if code.endswith('`') else ''}```"


def _marked(parts: Sequence[_Part]) -> Iterator[_Part]:
    """With the signs of their styles between them."""
    now: tuple[Style, ...] = ()
    for part in [*_tightened(parts), _Part(_Kind.SPACE, "")]:
        common = _common(now, part.styles)
        yield from (_Part(_Kind.CLOSES, _SIGNS[style]) for style in reversed(now[len(common) :]))
        yield from (_Part(_Kind.OPENS, _SIGNS[style]) for style in part.styles[len(common) :])
        yield part
        now = part.styles


def _tightened(parts: Sequence[_Part]) -> list[_Part]:
    """Styles begin and end with what is neither white space nor a sign."""
    before: list[tuple[Style, ...]] = []
    last: tuple[Style, ...] = ()
    for part in parts:
        last = _common(last, part.styles) if part.kind in _LOOSE else part.styles
        before.append(last)
    out: list[_Part] = []
    after: tuple[Style, ...] = ()
    for part, earlier in zip(reversed(parts), reversed(before), strict=True):
        if part.kind in _LOOSE:
            after = _common(after, part.styles)
            out.append(replace(part, styles=_common(earlier, after)))
        else:
            out.append(part)
            after = part.styles
    return out[::-1]


def _common(one: tuple[Style, ...], other: tuple[Style, ...]) -> tuple[Style, ...]:
    same = takewhile(lambda pair: pair[0] is pair[1], zip(one, other, strict=False))
    return tuple(style for style, _ in same)


def _escaped(parts: Sequence[_Part]) -> Iterator[str]:
    """What makes signs signs and leaves literal ones literal."""
    counts = Counter("".join(part.text for part in parts if part.kind is not _Kind.CODE))
    shown = [part for part in parts if part.text]
    for at, part in enumerate(shown):
        before = shown[at - 1] if at else None
        after = shown[at + 1] if at + 1 < len(shown) else None
        if part.kind is _Kind.SIGN and counts[part.text] > 1:
            yield _harmless(part.text, before, after)
        elif part.kind is _Kind.ADDRESS:
            yield _address(part.text, counts)
        else:
            yield from _parted(part, before, after)


def _harmless(sign: str, before: _Part | None, after: _Part | None) -> str:
    opens = after is not None and after.kind is not _Kind.SPACE and not _latin(before, -1)
    closes = before is not None and before.kind is not _Kind.SPACE and not _latin(after, 0)
    if not opens and not closes:
        return sign
    first = _HAIR if before is not None and before.kind is not _Kind.SPACE else ""
    return first + sign + (_HAIR if after is not None and after.kind is not _Kind.SPACE else "")


def _latin(part: _Part | None, at: int) -> bool:
    """Whether a letter or digit stands there that is one to every platform."""
    if part is None or part.kind not in {_Kind.WORD, _Kind.ADDRESS}:
        return False
    return part.text[at].isascii() and part.text[at].isalnum()


def _address(text: str, counts: Counter[str]) -> str:
    out = []
    for at, char in enumerate(text):
        inside = text[at - 1 : at].isalnum() and text[at + 1 : at + 2].isalnum()
        harmless = char not in _ENCODED or inside or (counts[char] == 1 and char != "`")
        out.append(char if harmless else _ENCODED[char])
    return "".join(out)


def _parted(part: _Part, before: _Part | None, after: _Part | None) -> Iterator[str]:
    """A mark or code with what keeps it from touching a letter."""
    starts, ends = part.kind in {_Kind.OPENS, _Kind.CODE}, part.kind in _ENDS
    if starts and before and before.kind is _Kind.ADDRESS:
        yield _HAIR
    elif starts and before and (before.kind in _ENDS or before.text[-1].isalnum()):
        yield _GAP
    yield part.text
    if ends and after and after.text[0].isalnum():
        yield _GAP

"""On which line a TOML document says what: the standard library's parser does not tell.

The scanner expects a document that `tomllib` has accepted, so it only has to find where things begin, never
whether they are right. Grammar: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import bisect
import re
import tomllib

Loc = tuple[str | int, ...]
"""Where a value stands in the parsed document: keys of tables and indices of arrays, from the root."""

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+ | "(?:\\.|[^"\\])*" | '[^']*'""", re.VERBOSE)
_SCALAR = re.compile(
    r'''
      """ (?:\\.|[^\\])*? """ "{0,2}    # up to two quotes may stand before the closing three
    | \'\'\' .*? \'\'\' '{0,2}
    | " (?:\\.|[^"\\])* "
    | ' [^']* '
    | [^,\]}\#\n]+                      # a number, a boolean, or a date, which may hold a space
    ''',
    re.VERBOSE | re.DOTALL,
)


def locate(text: str) -> dict[Loc, int]:
    """The line, counted from 1, on which each table, array, element and value of a document first stands."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Loc, int] = {}
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        # How many elements `[[...]]` has begun of each array that it made.
        self._elements: dict[Loc, int] = {}

    def document(self) -> None:
        table: Loc = ()
        self._match(_BLANK)
        while self._at < len(self._text):
            if self._take("["):
                table = self._header(element=self._take("["))
            else:
                self._pair(table)
            self._match(_BLANK)

    def _header(self, *, element: bool) -> Loc:
        """`[a.b]` or `[[a.b]]` after its opening brackets; returns the table that it opens."""
        line = self._line()
        self._match(_SPACE)
        loc: Loc = ()
        *outer, last = self._keys()
        for key in outer:
            loc = self._note((*loc, key), line)
            if loc in self._elements:  # the table goes into the element begun last
                loc = (*loc, self._elements[loc] - 1)
        loc = self._note((*loc, last), line)
        if element:
            index = self._elements.get(loc, 0)
            self._elements[loc] = index + 1
            loc = self._note((*loc, index), line)
        self._at += 2 if element else 1
        return loc

    def _pair(self, table: Loc) -> None:
        line = self._line()
        loc = table
        for key in self._keys():
            loc = self._note((*loc, key), line)
        self._at += 1  # the equals sign
        self._match(_SPACE)
        self._value(loc)

    def _value(self, loc: Loc) -> None:
        if self._take("["):
            self._array(loc)
        elif self._take("{"):
            self._inline_table(loc)
        else:
            self._match(_SCALAR)

    def _array(self, loc: Loc) -> None:
        index = 0
        self._match(_BLANK)
        while not self._take("]"):
            self._value(self._note((*loc, index), self._line()))
            index += 1
            self._match(_BLANK)
            self._take(",")
            self._match(_BLANK)

    def _inline_table(self, loc: Loc) -> None:
        # Line breaks are for TOML 1.1; where the parser doesn't take them, there are none here.
        self._match(_BLANK)
        while not self._take("}"):
            self._pair(loc)
            self._match(_BLANK)
            self._take(",")
            self._match(_BLANK)

    def _keys(self) -> list[str]:
        """A dotted key and the blanks after it."""
        keys = [self._key()]
        while self._take("."):
            self._match(_SPACE)
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        token = self._match(_KEY)
        self._match(_SPACE)
        if token.startswith('"'):
            return str(tomllib.loads(f"key = {token}")["key"])
        return token.strip("'")

    def _note(self, loc: Loc, line: int) -> Loc:
        self.lines.setdefault(loc, line)
        return loc

    def _line(self) -> int:
        return bisect.bisect_left(self._newlines, self._at) + 1

    def _take(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        self._at += len(token) if found else 0
        return found

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"not a TOML document at character {self._at}")
        self._at = match.end()
        return match.group()

"""An old JSON file as data, with the line of everything in it."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined] # the standard library's own, without a stub
from pathlib import Path
from typing import Any, NoReturn

from bot.config.report import kind as kind_of
from bot.errors import BotError

Loc = tuple[str | int, ...]

_DEEPEST = 40
_LARGEST = 16_000_000
"""Bytes; what an old program wrote is some kilobytes."""
_SPACE = re.compile(r"[ \t\n\r]*")
_LEAF = re.compile(r"[^\s,\]}]+")


class NotReadable(BotError):
    """The file holds nothing that could be imported."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Source:
    """A file's data. `where` gives the line of each place in it."""

    file: Path
    data: dict[str, Any]
    where: Mapping[Loc, int]


def read(file: Path) -> Source:
    """Read and parse. Raises NotReadable with the place and what is wrong there."""
    try:
        size = file.stat().st_size
        if size > _LARGEST:
            raise NotReadable(f"{file}: is {size:,} bytes long; a configuration is shorter than that")
        content = file.read_bytes()
    except OSError as error:
        raise NotReadable(f"{file}: can't be read: {error.strerror}") from error
    return parse(content, file)


def parse(content: bytes, file: Path) -> Source:
    """As `read`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotReadable(f"{file}:{line}: is not UTF-8 text; save a copy in that encoding") from error
    if not text.strip():
        raise NotReadable(f"{file}: is empty; there is nothing to import")
    try:
        data = json.loads(text, parse_constant=_no_number)
        where = _located(text) if isinstance(data, dict) else {}
    except json.JSONDecodeError as error:
        raise NotReadable(f"{file}:{error.lineno}: column {error.colno}: is no JSON ({error.msg})") from error
    except RecursionError as error:
        raise NotReadable(f"{file}: is nested too deeply; expected a few levels") from error
    except ValueError as error:
        raise NotReadable(f"{file}: holds a number that can't be used ({error})") from error
    if not isinstance(data, dict):
        raise NotReadable(
            f'{file}:1: is {kind_of(data)}; expected an object with sections such as "providers"'
        )
    return Source(file, data, where)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


class _Locator:
    """Goes through a text that is JSON and notes the line of every value."""

    def __init__(self, text: str) -> None:
        self.where: dict[Loc, int] = {}
        self._text = text
        self._breaks = [match.start() for match in re.finditer("\n", text)]

    def value(self, at: int, loc: Loc) -> int:
        """Note what lies below; returns where the value ends."""
        if len(loc) > _DEEPEST:
            raise RecursionError
        first = self._text[at]
        if first == '"':
            return int(scanstring(self._text, at + 1)[1])
        if first == "{":
            return self._table(self.skip(at + 1), loc)
        if first == "[":
            return self._list(self.skip(at + 1), loc)
        match = _LEAF.match(self._text, at)
        return match.end() if match else at + 1

    def skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _table(self, at: int, loc: Loc) -> int:
        while self._text[at] != "}":
            begins = at
            key, at = scanstring(self._text, at + 1)
            at = self._member(self.skip(self.skip(at) + 1), (*loc, key), begins)
        return at + 1

    def _list(self, at: int, loc: Loc) -> int:
        index = 0
        while self._text[at] != "]":
            at = self._member(at, (*loc, index), at)
            index += 1
        return at + 1

    def _member(self, at: int, loc: Loc, begins: int) -> int:
        self.where[loc] = bisect_left(self._breaks, begins) + 1
        at = self.skip(self.value(at, loc))
        return self.skip(at + 1) if self._text[at] == "," else at


def _located(text: str) -> dict[Loc, int]:
    locator = _Locator(text)
    locator.value(locator.skip(0), ())
    return locator.where

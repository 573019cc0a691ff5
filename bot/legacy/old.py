"""Reads an old configuration's settings by their path, and notices what nobody asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from bot.config.report import kind as kind_of
from bot.legacy.notes import Fate, Note
from bot.legacy.source import Loc, Source

T = TypeVar("T")

_ABSENT = object()
_NAMES = {
    bool: "true or false",
    str: "text",
    int: "a number without a point",
    float: "a number",
    list: "a list",
    dict: "a section",
}


class Old:
    """Reads settings by their path. What has a wrong type is noted and counts as absent; so does null.

    Keys are found in camelCase and, where `loose`, in snake_case as well. With `strict_nulls`, null is a wrong type
    except where it is asked for by `nullable`.
    """

    def __init__(self, source: Source, *, loose: bool, strict_nulls: bool) -> None:
        self.notes: list[Note] = []
        self._source = source
        self._loose = loose
        self._strict_nulls = strict_nulls
        self._seen: set[Loc] = set()

    # Values

    def text(self, *path: str, nullable: bool = False) -> str | None:
        return self._take(path, str, nullable=nullable)

    def flag(self, *path: str, default: bool = False) -> bool:
        found = self._take(path, bool)
        return default if found is None else found

    def number(self, *path: str) -> int | None:
        return self._take(path, int)

    def real(self, *path: str) -> float | None:
        return self._take(path, float)

    def texts(self, *path: str) -> list[str] | None:
        """A list of texts; numbers in it count as such, anything else is noted."""
        found: list[Any] | None = self._take(path, list)
        if found is None:
            return None
        out = []
        for index, one in enumerate(found):
            if isinstance(one, str | int) and not isinstance(one, bool) and str(one).isprintable():
                out.append(str(one))
            else:
                self._wrong((*self._at(path), index), one, "text")
        return out

    def names(self, *path: str) -> list[str]:
        """The keys of a section, as they are written."""
        found = self._raw(path)
        if found is _ABSENT or found is None:
            return []
        if not isinstance(found, dict):
            self._wrong(self._at(path), found, _NAMES[dict])
            return []
        return list(found)

    def items(self, *path: str) -> list[Any]:
        """The members of a list, as they are."""
        return self._take(path, list) or []

    def has(self, *path: str) -> bool:
        return self._raw(path) is not _ABSENT

    def is_section(self, *path: str) -> bool:
        return isinstance(self._raw(path), dict)

    def is_blank(self, *path: str) -> bool:
        """Whether the key is missing or says nothing: null, an empty text, list or section."""
        return self._raw(path) in (_ABSENT, None, "", [], {})

    # Where it stands, and what was read

    def line(self, *path: str) -> int:
        return self._source.where.get(self._at(path), 0)

    def note(self, fate: Fate, path: tuple[str, ...], new: str = "", text: str = "") -> None:
        """Say something of a key, which then was dealt with."""
        self.mark(*path)
        if self.has(*path) or not path:
            self.notes.append(Note(fate, called(path), new, text, self.line(*path)))
        else:
            self.notes.append(Note(fate, called(path) if text else "", new, text))

    def about(self, fate: Fate, path: tuple[str, ...], text: str, new: str = "") -> None:
        """As `note`, but only if the key is there."""
        if self.has(*path):
            self.note(fate, path, new, text)

    def mark(self, *path: str) -> None:
        """This and all below it was dealt with."""
        self._seen.add(self._at(path))

    def unmark(self, *path: str) -> None:
        """This was dealt with, what lies below it not yet."""
        self._seen.discard(self._at(path))

    def left(self) -> Iterator[tuple[str, ...]]:
        """What nobody dealt with, down to single values."""
        yield from self._left(self._source.data, ())

    def _left(self, value: Any, at: Loc) -> Iterator[tuple[str, ...]]:
        if at in self._seen:
            return
        if isinstance(value, dict) and value:
            for key, below in value.items():
                yield from self._left(below, (*at, key))
        elif at:
            yield tuple(map(str, at))

    # Looking

    def _at(self, path: tuple[str, ...]) -> Loc:
        """The path as it is written in the file."""
        table: Any = self._source.data
        out: list[str] = []
        for step in path:
            written = self._written(table, step)
            out.append(written)
            table = table.get(written) if isinstance(table, dict) else None
        return tuple(out)

    def _written(self, table: Any, step: str) -> str:
        if not isinstance(table, dict) or step in table or not self._loose:
            return step
        return next((key for key in table if folded(key) == folded(step)), step)

    def _raw(self, path: tuple[str, ...]) -> Any:
        value: Any = self._source.data
        for step in self._at(path):
            if not isinstance(value, dict) or step not in value:
                return _ABSENT
            value = value[step]
        return value

    def _take(self, path: tuple[str, ...], kind: type[T], *, nullable: bool = False) -> T | None:
        value = self._raw(path)
        if value is _ABSENT:
            self._section_wrong(path)
            return None
        if value is None:
            if self._strict_nulls and not nullable:
                self._wrong(self._at(path), None, _NAMES[kind])
            return None
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = _float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self._wrong(self._at(path), value, _NAMES[kind])
            return None
        if isinstance(value, str) and not value.isprintable():
            self._wrong(self._at(path), value, "text on one line, without control characters")
            return None
        return value

    def _section_wrong(self, path: tuple[str, ...]) -> None:
        """Note a value that stands where a section should, once."""
        for end in range(1, len(path)):
            value = self._raw(path[:end])
            at = self._at(path[:end])
            if value is not _ABSENT and not isinstance(value, dict):
                if value is not None or self._strict_nulls:
                    self._wrong(at, value, _NAMES[dict])
                return

    def _wrong(self, at: Loc, value: Any, expected: str) -> None:
        self._seen.add(at)
        found = "null" if value is None else kind_of(value)
        line = self._source.where.get(at, 0)
        self.notes.append(Note(Fate.WRONG, called(at), "", f"found {found}; expected {expected}", line))


def _float(value: int) -> float | int:
    try:
        return float(value)
    except OverflowError:
        return value


def folded(key: str) -> str:
    """The same for camelCase and snake_case."""
    return key.replace("_", "").replace("-", "").lower()


def called(at: Loc) -> str:
    """A place as the report names it; a key may hold what would be taken for something else."""
    return ".".join(str(step) if re.fullmatch(r"[\w-]+", str(step)) else json.dumps(step) for step in at)

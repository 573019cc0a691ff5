"""Markdown files that begin with a few fields in YAML between two lines of `---`: profiles of workers, skills."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST_CHARS = 16_000
_SHAPE = re.compile(r"---[ \t]*\n(?P<head>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


class Malformed(ValueError):
    """The fields can't be read; `line` says where, counted from 1 in the file."""

    def __init__(self, text: str, line: int = 1) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True, slots=True)
class Sheet:
    """The fields of a file, the line on which each stands, and the text below them."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    body: str = ""

    def line(self, name: object) -> int:
        """Where a field stands; the first line for one that is missing."""
        return self.lines.get(str(name), 1)


def parse(text: str) -> Sheet:
    """Read a file's text. Raises Malformed."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    shape = _SHAPE.match(text)
    if shape is None:
        raise Malformed("has no front matter; expected fields between two lines of --- at the top")
    head = shape["head"]
    if len(head) > _MOST_CHARS:
        raise Malformed(f"its front matter has {len(head)} characters; at most {_MOST_CHARS} are read")
    fields, lines = _fields(head)
    return Sheet(fields, lines, text[shape.end() :].strip())


def _fields(head: str) -> tuple[dict[str, Any], dict[str, int]]:
    import yaml  # noqa: PLC0415 -- takes 20 ms, and most have no such file

    try:
        _refuse_aliases(yaml.parse(head, yaml.SafeLoader))
        lines = _places(yaml.compose(head, yaml.SafeLoader))
        fields = yaml.safe_load(head) or {}
    except Malformed:
        raise
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        hint = "; put the value in quotes" if "mapping values" in str(error.problem) else ""
        raise Malformed(f"is not valid YAML: {error.problem}{hint}", _line(where)) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Malformed(f"is not valid YAML: {str(error).splitlines()[0]}") from None
    except ValueError as error:
        raise Malformed(f"holds a value that can't be read: {error}") from None
    return {str(name): value for name, value in fields.items()}, lines


def _refuse_aliases(events: Iterable[Any]) -> None:
    """One alias of an alias of an alias is a way to make much of little. Raises Malformed."""
    for event in events:
        if type(event).__name__ == "AliasEvent":
            raise Malformed("holds a YAML alias (*name), which is not read here", _line(event.start_mark))


def _places(document: Any) -> dict[str, int]:
    """The line of each field in a document as PyYAML composes it. Raises Malformed."""
    lines: dict[str, int] = {}
    if document is None:
        return lines
    if document.tag != "tag:yaml.org,2002:map":
        raise Malformed("its front matter is no list of `name: value`", 2)
    for key, _ in document.value:
        name = str(key.value)
        if name in lines:
            raise Malformed(f"{name} stands twice", _line(key.start_mark))
        lines[name] = _line(key.start_mark)
    return lines


def _line(mark: Any) -> int:
    """In the file, where one line stands above the fields."""
    return mark.line + 2 if mark is not None else 1

"""The Authentication-Results field (RFC 8601, 2.2). Pure; never raises.

The library `authres` was tried and is not used: it refuses what Microsoft (no name of the server), GMX (a semicolon
at the end) and others (an address in angle brackets) write, and its recursion ends in RecursionError at many brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from channels.adapters.email.headers import FIELD_LIMIT

_MOST_RESULTS = 200

_WORD = re.compile(r'[^\s;()"\\]+')
_EQUALS = re.compile(r"\s*=\s*")
_METHOD = re.compile(r"([a-z0-9-]+)(?:/([0-9]+))?=([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Result:
    """What one method found; `properties` are named as "header.d", in lower case."""

    method: str
    result: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stamp:
    """One field: who wrote it ("" where it has no name) and what it says."""

    authserv_id: str
    results: tuple[Result, ...]


def read_stamp(value: str) -> Stamp | None:
    """None for what is no such field, or a version of it that isn't known."""
    if len(value) >= FIELD_LIMIT:
        return None
    try:
        segments = list(_segments(value))
    except ValueError:
        return None
    if len(segments) > _MOST_RESULTS:
        return None
    name, results = "", segments
    if not any("=" in word for word in segments[0]):
        if not segments[0] or len(segments[0]) > 2 or segments[0][1:] not in ([], ["1"]):
            return None
        name, results = segments[0][0].lower(), segments[1:]
    found = [_result(words) for words in results if words and words != ["none"]]
    if None in found or not (name or found):
        return None
    return Stamp(name, tuple(result for result in found if result is not None))


def _segments(value: str) -> Iterator[list[str]]:
    """The words between semicolons, without comments; raises ValueError where a bracket or quotation mark has no end.

    Quotation marks are dropped and what they hold is kept in its word.
    """
    words: list[str] = [""]
    at = 0
    while at < len(value):
        char = value[at]
        if char == ";":
            yield _joined(words)
            words, at = [""], at + 1
        elif char == "(":
            at = _after_comment(value, at)
            words.append("")
        elif char == '"':
            text, at = _quoted(value, at)
            words[-1] += text
        elif match := _WORD.match(value, at):
            words[-1] += match[0]
            at = match.end()
        else:
            words.append("")
            at += 1
    yield _joined(words)


def _joined(words: list[str]) -> list[str]:
    """White space is allowed around the equals sign."""
    return _EQUALS.sub("=", " ".join(filter(None, words))).split(" ") if any(words) else []


def _after_comment(value: str, at: int) -> int:
    depth = 0
    while at < len(value):
        depth += (value[at] == "(") - (value[at] == ")")
        at += 2 if value[at] == "\\" else 1
        if not depth:
            return at
    raise ValueError


def _quoted(value: str, at: int) -> tuple[str, int]:
    """What is quoted, with a stand-in for what would part words."""
    out, at = [], at + 1
    while at < len(value) and value[at] != '"':
        at += value[at] == "\\"
        char = value[at : at + 1]
        out.append("?" if char.isspace() or char in {"=", ";"} else char)
        at += 1
    if at >= len(value):
        raise ValueError
    return "".join(out), at + 1


def _result(words: list[str]) -> Result | None:
    match = _METHOD.fullmatch(words[0])
    if match is None or match[2] not in {None, "1"}:
        return None
    properties: dict[str, str] = {}
    for word in words[1:]:
        name, equals, content = word.partition("=")
        if equals:
            properties.setdefault(name.lower(), content)
    return Result(match[1].lower(), match[3].lower(), properties)

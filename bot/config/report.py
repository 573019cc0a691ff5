"""Problems as lines for a person: `FILE:LINE: [section] key: what is wrong; what is expected`."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.config.locate import Loc

_BARE = re.compile(r"[A-Za-z0-9_-]+")
GROUPS = ("providers", "people", "channels", "jobs")
"""Sections that come once for each name: `[providers.groq]`."""
_SHOWN = 32
"""Characters of a text that a message repeats. A secret in the wrong place is longer, and stays unseen."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell: where it stands in the file, one line about it, and whether it stops the start.

    `label` stands for the place where "[section] key" would be misleading.
    """

    loc: Loc
    text: str
    fatal: bool = True
    label: str = ""


def lines(findings: Iterable[Finding], file: Path, where: Mapping[Loc, int]) -> list[str]:
    """The findings in the order of the file, each said once."""
    placed = sorted(
        ((line_of(finding.loc, where), finding) for finding in findings), key=lambda pair: pair[0]
    )
    said = (
        f"{file}:{line}: {finding.label or place(finding.loc)}: {finding.text}" for line, finding in placed
    )
    return list(dict.fromkeys(said))


def line_of(loc: Loc, where: Mapping[Loc, int]) -> int:
    """The line of `loc`, or of the nearest thing around it: what is missing belongs to its section."""
    return next((where[loc[:end]] for end in range(len(loc), 0, -1) if loc[:end] in where), 1)


def found(value: object) -> str:
    """A value of the file as a message may repeat it."""
    if isinstance(value, str):
        short = len(value) <= _SHOWN
        return json.dumps(value, ensure_ascii=False) if short else f"text of {len(value)} characters"
    if isinstance(value, bool):
        return json.dumps(value)
    return str(value) if isinstance(value, int | float) else kind(value)


def kind(value: object) -> str:
    """What sort of value it is, without telling the value."""
    kinds = {
        bool: "true or false",
        str: "text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return kinds.get(type(value), "a date or time")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[close[0]] if close else None


def hint(word: str, known: Iterable[str], what: str) -> str:
    """`did you mean ...?`, or where nothing is near, everything there is."""
    options = list(known)
    near = nearest(word, options)
    return f"did you mean {near}?" if near else f"{what}: {', '.join(options) or 'none'}"


def dotted(keys: Iterable[str | int]) -> str:
    """Keys as TOML writes them; the index of a list has no place there."""
    names = (key for key in keys if isinstance(key, str))
    return ".".join(name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False) for name in names)


def place(loc: Loc) -> str:
    """`[section] key`, as a person finds it in the file."""
    depth = 2 if loc[0] in GROUPS else 1
    section, key = dotted(loc[:depth]), dotted(loc[depth:])
    return f"[{section}] {key}" if key else f"[{section}]"

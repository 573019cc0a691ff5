"""A TOML file as data, with the line of everything in it; what can't be read is explained in plain words."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config.locate import Loc, locate
from bot.errors import ConfigError

_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_BOOLEAN = re.compile(r"(true|false|yes|no|on|off)\b", re.IGNORECASE)

# How a message of the parser begins, and what it means for somebody who has never read the parser.
_EXPLANATIONS = (
    ("Cannot declare", "this section stands a second time; put all its keys below one heading"),
    ("Cannot overwrite a value", "this key stands a second time in its section; remove one of the two"),
    ("Cannot mutate immutable", "this adds to a table that was already complete; write it all in one place"),
    ("Cannot redefine", "this name is already taken; remove one of the two"),
    ("Duplicate inline table key", "this key stands a second time in its table; remove one of the two"),
    ("Expected ']'", "a heading isn't closed; expected ] at its end, as in [agent]"),
    ("Expected '='", "expected = between a key and its value, as in key = 1"),
    ("Expected newline", "something follows the value; expected the end of the line, or quotes around text"),
    ("Unclosed array", "a list isn't closed; expected ] at its end"),
    ("Unclosed inline table", "a table isn't closed; expected } at its end"),
    ("Unterminated string", "a text isn't closed; expected a quote at its end"),
    ("Unescaped '\\'", 'a \\ in a text has to be doubled, or the text put into single quotes: \'C:\\dir\''),
    ("Illegal character '\\n'", "a text isn't closed; expected a quote at the end of the line"),
    ("Illegal character", "a character that may not stand here, such as a control character"),
    ("Invalid initial character for a key", "a key is missing, or needs quotes around it"),
    ("Invalid date", "there is no such date or time"),
    ("Invalid statement", 'expected a [section] or a line of the form key = value'),
    ("Invalid value", 'this is no value; text stands in quotes, as in key = "text"'),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file. `where` gives the line of each place in `data`."""

    file: Path
    data: dict[str, Any]
    where: dict[Loc, int]


def read(file: Path) -> Document:
    """Read and parse. Raises OSError where the file can't be read, `ConfigError` where it isn't TOML."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{file}:{line}: is not UTF-8 text; save the file in that encoding"]) from error
    try:
        return Document(file, tomllib.loads(text), locate(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file}:{_explain(str(error), text)}"]) from error
    except RecursionError as error:
        raise ConfigError(
            [f"{file}: lists or tables are nested too deeply; expected a few levels"]
        ) from error


def _explain(message: str, text: str) -> str:
    """The parser's message as `LINE: column COLUMN: explanation`."""
    position = _POSITION.search(message)
    said = message[: position.start()] if position else message
    plain = next((plain for start, plain in _EXPLANATIONS if said.startswith(start)), said)
    if position is None or position["line"] is None:
        ended = (
            "it ends in the middle of something; a ], a } or a value is missing"
            if "Invalid" in said
            else plain
        )
        return f"{max(1, len(text.splitlines()))}: at the end of the file: {ended}"
    line, column = int(position["line"]), int(position["column"])
    if said == "Invalid value" and _BOOLEAN.match(text.splitlines()[line - 1], column - 1):
        plain = "this is no value; write true or false, in small letters"
    return f"{line}: column {column}: {plain}"

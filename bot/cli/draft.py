"""A configuration file as it is to become: what stands there, what was chosen since, and how that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.config.edit import Place, set_values, values_of
from bot.config.report import dotted
from bot.paths import Env

_SECRET = ("api_key", "api_keys", "token")
_HIDDEN = "(not shown)"
_REFERENCE = ("env:", "file:", "credential:")
_HEADER = """\
nanobot's configuration, begun by `nanobot init`, which can be run again and keeps what stands here.
`nanobot check` names every mistake with its line; config.example.toml explains every setting.
It may hold secrets: keep it to yourself (chmod 600).

"""
_COMMENTS: Mapping[Place, str] = {
    (): _HEADER.rstrip(),
    ("limits",): (
        "What models that cost money may cost at most, in US dollars.\n"
        "Free and local ones go on when a limit is reached."
    ),
    ("limits", "paid_fallback"): "Whether a model that costs money may answer where a free one failed.",
    ("channels", "telegram"): "The bot that you made with @BotFather.",
    ("people", "owner"): "You: the one who may do everything and hears of problems.",
}


class Draft:
    """`file` is what will be written; it need not exist. Raises ConfigError, BotError where it can't be read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.present = values_of(file)
        self._values: dict[Place, object] = {}
        self._comments: dict[Place, str] = dict(_COMMENTS)

    def put(self, place: Place, value: object, comment: str = "") -> None:
        """Set a place; None empties it. `comment` goes above it where it is new, once in a section."""
        self._values[place] = value
        beside = (text for other, text in self._comments.items() if other[:-1] == place[:-1])
        if comment and comment not in beside:
            self._comments[place] = comment

    def get(self, place: Place) -> Any:
        """What will stand there; None for nothing. A table is a copy with everything in it."""
        found = _at(self.present, place)
        for changed, value in self._values.items():
            if changed == place:
                found = value
            elif changed[: len(place)] == place:
                found = _with(found, changed[len(place) :], value)
        return found

    def names(self, group: str) -> list[str]:
        """The sections `[group.<name>]` that there will be."""
        table = self.get((group,))
        return list(table) if isinstance(table, Mapping) else []

    @property
    def changes(self) -> dict[Place, object]:
        """What differs from the file."""
        return {
            place: value
            for place, value in self._values.items()
            if (had := _at(self.present, place)) != value and not (value == {} and isinstance(had, Mapping))
        }

    def shown(self) -> list[str]:
        """The changes as the file will say them, without the secrets."""
        lines, heading = [], ""
        for place, value in self.changes.items():
            table = place if value == {} else place[:-1]
            if dotted(table) != heading:
                heading = dotted(table)
                lines.append(f"[{heading}]")
            if value != {}:
                lines.append(f"{dotted([place[-1]])} = {_shown(place[-1], value)}")
        return lines

    def told(self) -> dict[str, object]:
        """The same for programs, by place."""
        return {dotted(p): _masked(p[-1], value) for p, value in self.changes.items()}

    def write(self, env: Env) -> None:
        """Change the file. Raises ConfigError, BotError, and then leaves it as it was."""
        set_values(self.file, self.changes, self._comments, env)
        self.present = values_of(self.file)
        self._values.clear()


def _shown(key: str, value: object) -> str:
    if value is None:
        return "(removed)"
    value = _masked(key, value)
    if value == _HIDDEN:
        return _HIDDEN
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _masked(key: str, value: object) -> object:
    written_out = not (isinstance(value, str) and value.startswith(_REFERENCE))
    return _HIDDEN if key in _SECRET and value is not None and written_out else value


def _at(data: Any, place: Place) -> Any:
    for key in place:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def _with(table: Any, place: Place, value: object) -> dict[str, Any]:
    copy = dict(table) if isinstance(table, Mapping) else {}
    copy[place[0]] = _with(copy.get(place[0]), place[1:], value) if place[1:] else value
    return copy

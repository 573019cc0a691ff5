"""What an old configuration becomes: places of config.toml with their values, and what is to be said of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.config.edit import Place
from bot.config.report import dotted
from bot.legacy.notes import Fate, Note
from bot.legacy.old import Old

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_REFERENCE = ("env:", "file:", "credential:")


class Format(StrEnum):
    """Whose file it is; the value is how a person is told."""

    RUST = "the Rust program's"
    PYTHON = "the Python program's"


@dataclass(frozen=True, slots=True)
class Around:
    """What a conversion has to know beside the file: what was approved by pairing, and the environment's variables."""

    approved: Mapping[str, list[str]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Made:
    """The conversion of one file. Places are in the order in which they are to be written."""

    format: Format
    values: dict[Place, object] = field(default_factory=dict)
    comments: dict[Place, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)
    """Environment variables that the new file refers to."""
    workspace: str = ""
    """The old one, as it is written there."""
    owner: str = "owner"
    """Whose the old memory is."""
    identities: dict[tuple[str, str], str] = field(default_factory=dict)
    """Who is known, by channel and id."""


class Maker:
    """Carries single settings over. `old` is read, `made` is filled."""

    def __init__(self, old: Old, made: Made, around: Around) -> None:
        self.old = old
        self.made = made
        self.around = around

    def put(
        self, place: Place, value: object, path: tuple[str, ...], fate: Fate = Fate.KEPT, text: str = ""
    ) -> None:
        """A value that was made of the setting at `path`."""
        self.made.values[place] = value
        self.old.note(fate, path, dotted(place), text)

    def quietly(self, place: Place, value: object) -> None:
        """A value that no single setting stands for."""
        self.made.values[place] = value

    def drop(self, place: Place) -> None:
        self.made.values.pop(place, None)

    def secret(self, place: Place, value: str, path: tuple[str, ...]) -> None:
        """A key or password, written as it was: in the file that only its owner may read, or in the environment."""
        whole = VARIABLE.fullmatch(value)
        if whole:
            name = whole[1]
            self.made.variables.add(name)
            missing = (
                "" if self.around.env.get(name) else "; it isn't set here: set it where nanobot is started"
            )
            fate = Fate.TODO if missing else Fate.KEPT
            self.put(place, f"env:{name}", path, fate, f"in the environment variable {name}{missing}")
        elif VARIABLE.search(value):
            text = "a variable inside of a text can't be referred to here; put it into a variable of its own"
            self.old.note(Fate.TODO, path, dotted(place), text)
        elif value.startswith(_REFERENCE):
            text = 'begins like a reference to a secret; put it into a file and refer to it as "file:PATH"'
            self.old.note(Fate.TODO, path, dotted(place), text)
        else:
            self.put(place, value, path)

    def plain(self, value: str | None, path: tuple[str, ...]) -> str | None:
        """A text that is no secret, with the variables of the environment put in; None where one is missing."""
        if value is None or not VARIABLE.search(value):
            return value
        missing = [name for name in VARIABLE.findall(value) if not self.around.env.get(name)]
        if missing:
            self.old.note(
                Fate.TODO, path, "", f"needs the environment variable {missing[0]}, which isn't set here"
            )
            return None
        return VARIABLE.sub(lambda found: self.around.env[found[1]], value)

    def leave(self, whys: Mapping[str, str], otherwise: str = "there is nothing like it here") -> None:
        """Say of everything that is left that it has no effect; `whys` says why, by the first key."""
        for path in list(self.old.left()):
            why = "says nothing" if self.old.is_blank(*path) else whys.get(path[0], otherwise)
            self.old.note(Fate.IDLE, path, "", why)

    def sent_nowhere(self, path: tuple[str, ...], text: str) -> None:
        """For keys that have no counterpart, where they say something."""
        self.old.about(Fate.DROPPED, path, text)

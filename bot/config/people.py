"""`[people.NAME]`: how each channel knows a person, under the key that the channel itself declares."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any

from bot import plugins
from bot.config.locate import Loc
from bot.config.report import Finding, found, hint
from bot.config.schema import Config
from bot.plugins import PluginError
from channels.base import ChannelSpec, PersonKey

CHANNELS = "channels.adapters"
TERMINAL = "terminal"
"""The channel that is always there, without a section."""

_OWN = frozenset({"role", "timezone", "language", "prefers"})
"""What a person has of their own; every other key is a channel's."""
_NAME = re.compile(r"\w[\w-]*")  # it becomes the name of a folder, the person's memory


def with_identities(people: Any) -> tuple[Any, list[Finding]]:
    """`[people]` with the channels' keys gathered below `identities`, and what is wrong with them."""
    if not isinstance(people, dict):
        return people, []
    reader = _Reader()
    return {name: reader.person(name, table) for name, table in people.items()}, reader.problems


def unused(config: Config, channels: Container[str]) -> Iterator[Finding]:
    """What a person has that does nothing, since this configuration doesn't run the channel."""
    for name, person in config.people.items():
        kind = person.prefers
        if kind is not None and kind != TERMINAL and kind not in channels:
            text = f"there is no [channels.{kind}] here; what they used last counts"
            yield Finding(("people", name, "prefers"), text, fatal=False)


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Finding] = []
        self._owners: dict[tuple[str, str], str] = {}

    def person(self, name: str, table: Any) -> Any:
        at: Loc = ("people", name)
        if not _NAME.fullmatch(name):
            self.problems.append(Finding(at, "expected a name made of letters, digits, - and _"))
        if not isinstance(table, dict):
            return table
        identities: dict[str, list[str]] = {}
        for key in table.keys() - _OWN:
            loc = (*at, key)
            try:
                declared = _declared(key)
            except PluginError as error:
                self.problems.append(Finding(loc, str(error)))
                continue
            if declared is None:
                known = [*sorted(_OWN), *(person.name for _, person in _all())]
                self.problems.append(Finding(loc, f"unknown key; {hint(key, known, 'there are')}"))
                continue
            kind, person = declared
            ids = (self._identity(kind, person, each, one) for each, one in _each(loc, table[key]))
            identities[kind] = list(dict.fromkeys(identity for identity in ids if identity is not None))
        self._preferred((*at, "prefers"), table.get("prefers"))
        return {**{key: table[key] for key in _OWN & table.keys()}, "identities": identities}

    def _preferred(self, loc: Loc, kind: Any) -> None:
        kinds = [*plugins.names(CHANNELS), TERMINAL]
        if isinstance(kind, str) and kind not in kinds:
            text = f"there is no channel {found(kind)}; {hint(kind, kinds, 'there are')}"
            self.problems.append(Finding(loc, text))

    def _identity(self, kind: str, key: PersonKey, loc: Loc, value: Any) -> str | None:
        try:
            identity = key.normalise(value) if _is_plain(value) else None
        except ValueError:
            identity = None
        if identity is None:
            self.problems.append(Finding(loc, f"found {found(value)}; expected {key.expected}"))
            return None
        name = str(loc[1])
        owner = self._owners.setdefault((kind, identity), name)
        if owner != name:
            self.problems.append(
                Finding(loc, f"{found(value)} is {owner}'s already; expected one person only")
            )
        return identity


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _each(at: Loc, value: Any) -> Iterator[tuple[Loc, Any]]:
    if isinstance(value, list) and value:
        yield from (((*at, index), one) for index, one in enumerate(value))
    else:
        yield at, value


def _declared(key: str) -> tuple[str, PersonKey] | None:
    """The channel that knows people by `key`; mostly it has that name itself, so that no other is loaded."""
    if key in plugins.names(CHANNELS):
        person = plugins.load(CHANNELS, key, ChannelSpec).person
        if person is not None and person.name == key:
            return key, person
    return next(((kind, person) for kind, person in _all() if person.name == key), None)


def _all() -> Iterator[tuple[str, PersonKey]]:
    for kind in plugins.names(CHANNELS):
        person = plugins.load(CHANNELS, kind, ChannelSpec).person
        if person is not None:
            yield kind, person

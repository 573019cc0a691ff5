"""Who may write: the old lists of allowed senders as `[people]`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot import plugins
from bot.config.people import CHANNELS
from bot.legacy.made import Maker
from bot.legacy.notes import Fate, Note
from bot.plugins import PluginError
from channels.base import ChannelSpec, PersonKey

OPEN = "*"
_NOT_STABLE = (
    "is no stable id, as names change hands; let them write, and approve their code with `nanobot pair`"
)


def spec(kind: str) -> ChannelSpec | None:
    """The channel, where this version has it."""
    if kind not in plugins.names(CHANNELS):
        return None
    try:
        return plugins.load(CHANNELS, kind, ChannelSpec)
    except PluginError:
        return None


@dataclass(slots=True)
class Guests:
    """Gathers ids by channel; `settle` makes people of them once all channels were read."""

    maker: Maker
    ids: dict[str, list[str]] = field(default_factory=dict)
    _keys: dict[str, PersonKey] = field(default_factory=dict)

    def allow(self, kind: str, path: tuple[str, ...], *, empty_is_open: bool) -> None:
        """Take the list at `path`. `empty_is_open`: without an entry, everybody was let in there."""
        old = self.maker.old
        found = old.texts(*path)
        old.mark(*path)
        declared = spec(kind)
        if declared is None or declared.person is None:
            return
        self._keys[kind] = declared.person
        how = "unknown senders get a pairing code" if declared.pairing else "unknown senders are not answered"
        if not found:
            if empty_is_open:
                old.note(
                    Fate.UNSAFE,
                    path,
                    f"[people.*] {declared.person.name}",
                    f"an empty list let everybody in; here {how}",
                )
            elif old.has(*path) and old.is_blank(*path):
                old.note(Fate.KEPT, path, "", f"nobody is listed; {how}")
            return
        if OPEN in found:
            old.note(
                Fate.UNSAFE, path, f"[people.*] {declared.person.name}", f'"*" let everybody in; here {how}'
            )
        self._take(kind, [one for one in found if one.strip() != OPEN], path)

    def approve(self, approved: Mapping[str, Sequence[str]]) -> None:
        """Take those whom a code had let in."""
        for kind, found in approved.items():
            declared = spec(kind)
            if declared is None or declared.person is None:
                self.maker.made.notes.append(
                    Note(Fate.DROPPED, f"pairing.json: {kind}", "", "this channel doesn't exist here")
                )
                continue
            self._keys[kind] = declared.person
            self._take(kind, found, ())

    def _take(self, kind: str, found: Sequence[str], path: tuple[str, ...]) -> None:
        key, old = self._keys[kind], self.maker.old
        known = self.ids.setdefault(kind, [])
        for one in found:
            # The Python program wrote "id|name" where it knew both.
            candidate = one.split("|")[0].strip()
            try:
                identity = key.normalise(re.sub(r"@(s\.whatsapp\.net|c\.us)$", "", candidate))
            except ValueError:
                where = "" if path else "pairing.json: "
                note = Note(
                    Fate.DROPPED,
                    f"{where}{'.'.join(path) or kind}",
                    "",
                    f"{one!r}: {_NOT_STABLE}",
                    old.line(*path) if path else 0,
                )
                old.notes.append(note)
                continue
            if identity not in known:
                known.append(identity)
                old.notes.append(
                    Note(
                        Fate.KEPT,
                        ".".join(path) or f"pairing.json: {kind}",
                        f"[people] {key.name} = {identity}",
                        "",
                        old.line(*path) if path else 0,
                    )
                )

    def settle(self, zone: str | None) -> None:
        """Write the people down. An id that is alone on its channel is taken for the owner's."""
        own = {kind: ids[0] for kind, ids in self.ids.items() if len(ids) == 1}
        others = [(kind, one) for kind, ids in self.ids.items() if len(ids) > 1 for one in ids]
        owner = self.maker.made.owner
        if own:
            self._person(owner, "owner", own, zone)
        if len(own) > 1:
            text = f"{', '.join(sorted(own))} had one sender each, taken for one person, you; if they aren't, part them"
            self._say(Fate.TODO, f"[people.{owner}]", text)
        for kind, one in others:
            name = self._name(kind, one)
            self._person(name, "user", {kind: one}, zone)
        if others:
            text = "several senders were allowed: each is a user now; name them, and join those that are one person"
            self._say(Fate.TODO, "[people]", text if own else f'{text}, and set role = "owner" for yourself')

    def _person(self, name: str, role: str, ids: Mapping[str, str], zone: str | None) -> None:
        made = self.maker
        made.quietly(("people", name, "role"), role)
        for kind, one in ids.items():
            made.quietly(("people", name, self._keys[kind].name), int(one) if kind == "telegram" else one)
            made.made.identities[kind, one] = name
        if zone:
            made.quietly(("people", name, "timezone"), zone)

    def _name(self, kind: str, one: str) -> str:
        slug = re.sub(r"[^A-Za-z0-9]+", "-", one).strip("-") or "somebody"
        name, number = f"{kind}-{slug}", 2
        while ("people", name, "role") in self.maker.made.values:
            name, number = f"{kind}-{slug}-{number}", number + 1
        return name

    def _say(self, fate: Fate, new: str, text: str) -> None:
        self.maker.made.notes.append(Note(fate, "", new, text))

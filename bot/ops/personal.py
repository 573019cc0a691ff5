"""What people decide for themselves: the language of the answers (/language), and further channels (/link)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from bot.gateway.commands import Asked, Reply, Text
from bot.gateway.linking import CODE_SECONDS, Linking, linked_ways
from bot.gateway.people import People
from bot.storage import people as rows
from channels.types import Choice

ALONE = "That is between the two of us: ask me in our own chat."
AUTOMATIC = "auto"
_OFFERED = ("English", "Deutsch", "Français", "Italiano", "Español")
_LANGUAGE = re.compile(r"[^\W\d_][\w ()'-]{0,39}")
"""What may stand for a language in a prompt: a few words, no sentence."""


@dataclass(frozen=True, slots=True)
class Personal:
    people: People
    linking: Linking

    def table(self) -> Mapping[str, Text]:
        return {"language": self._language, "link": self._link}

    async def _language(self, asked: Asked) -> Reply:
        wanted = " ".join(asked.argument.split())
        if not wanted:
            return Reply(self._present(asked.person), choices=_choices())
        language = "" if wanted.lower() == AUTOMATIC else wanted
        if language and not _LANGUAGE.fullmatch(language):
            return Reply(f"That is no name of a language: {wanted[:60]!r}. Try `/language Italian`.")
        said = (
            f"I answer you in {language} from now on."
            if language
            else "I answer in the language you write in."
        )
        return Reply(
            said,
            effect=partial(rows.choose_language, person=asked.person, language=language),
            act=partial(self._chose, asked.person, language),
        )

    def _present(self, person: str) -> str:
        language = self.people.language(person)
        now = f"I answer you in {language}" if language else "I answer in the language you write in"
        return f"{now}. `/language NAME` changes that, `/language {AUTOMATIC}` follows what you write."

    def _chose(self, person: str, language: str) -> str:
        self.people.chose_language(person, language)
        return ""

    async def _link(self, asked: Asked) -> Reply:
        if not asked.private:
            return Reply(ALONE)
        match asked.argument.split():
            case []:
                return self._code(asked.person)
            case ["undo", channel, sender]:
                here = (asked.channel, asked.sender)
                return Reply(await self.linking.undo(here, asked.person, (channel.lower(), sender)))
            case ["undo", *_]:
                ways = linked_ways(self.people.known_as(asked.person))
                return Reply(f"Which? `/link undo CHANNEL ID` takes one away. {ways}")
            case _:
                return Reply(
                    f"I know you here already, as {asked.person}; a code is sent from where I don't know you yet. To "
                    "be somebody else here, this has to be taken back first: "
                    f"`nanobot people unlink {asked.channel} {asked.sender}` on my machine."
                )

    def _code(self, person: str) -> Reply:
        code = self.linking.code(person)
        return Reply(
            f"Within {CODE_SECONDS / 60:.0f} minutes, send me this from the other channel (in a mail, as its first "
            f"line):\n`/link {code.code}`\nWhoever sends it is you to me, so show it to nobody.",
            effect=partial(rows.show_link_code, code=code),
        )


def _choices() -> tuple[Choice, ...]:
    offered = tuple(Choice(name, f"/language {name}") for name in _OFFERED)
    return (*offered, Choice("as I write", f"/language {AUTOMATIC}"))

"""`nanobot memory`: what is known of a person or the household, how it came to be, and how to bring it back."""

from __future__ import annotations

from typing import Any

from bot.errors import BotError
from bot.gateway.people import People
from bot.memory import facts
from bot.memory.facts import HOUSEHOLD
from bot.memory.memory import Memory

_DESCRIPTION = "the household"


class Notes:
    """The notes about people, as the control API shows and changes them. `person` "" is the owner of this machine."""

    def __init__(self, memory: Memory, people: People) -> None:
        self._memory = memory
        self._people = people

    def report(self, person: str) -> dict[str, Any]:
        """{"person", "file", "facts": [{"text", "source"}], "household"}. Raises BotError."""
        name = self._named(person)
        found = {
            "person": _spoken(name),
            "file": str(self._memory.keeper.file(name)),
            "facts": self._facts(name),
        }
        return found if name == HOUSEHOLD else {**found, "household": self._facts(HOUSEHOLD)}

    async def history(self, person: str) -> list[dict[str, Any]]:
        """Every version, oldest first. Raises BotError."""
        versions = await self._memory.keeper.history(self._named(person))
        return [{**one._asdict(), "facts": len(facts.parse(one.text))} for one in versions]

    async def restore(self, person: str, number: int) -> dict[str, Any]:
        """Bring a version back; returns what is known then. Raises BotError, OSError."""
        name = self._named(person)
        if not await self._memory.keeper.restore(name, number):
            raise BotError(
                f"there is no version {number} of what is known of {_spoken(name)}; "
                "`nanobot memory history` lists them"
            )
        return self.report(person)

    async def forget(self, person: str, words: str) -> dict[str, Any]:
        """{"person", "forgotten"}: the facts that were dropped. Raises BotError, OSError."""
        name = self._named(person)
        if not words.strip():
            raise BotError("say which words the facts hold")
        return {"person": _spoken(name), "forgotten": await self._memory.forget(name, words)}

    def _facts(self, name: str) -> list[dict[str, str]]:
        return [
            {"text": fact.text, "source": fact.source} for fact in facts.parse(self._memory.keeper.read(name))
        ]

    def _named(self, person: str) -> str:
        known = self._people.names()
        if person and person not in known | {HOUSEHOLD}:
            raise BotError(f"there is nobody called {person!r}; there are: {', '.join(sorted(known))}")
        return person or self._people.owner.name


def _spoken(name: str) -> str:
    return _DESCRIPTION if name == HOUSEHOLD else name

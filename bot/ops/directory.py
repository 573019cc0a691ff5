"""`nanobot people`: everybody who may write, how each channel knows them, and taking such a way back."""

from __future__ import annotations

from typing import Any

from bot.gateway.people import People
from bot.storage import people as rows
from bot.storage.database import Database


class Directory:
    """The people, as the control API shows and changes them."""

    def __init__(self, database: Database, people: People) -> None:
        self._database = database
        self._people = people

    async def report(self) -> list[dict[str, Any]]:
        """The object of `nanobot people --json`, the owner first. Times are in seconds since the epoch; an empty
        language or time zone is that of the message or of this machine.
        """
        seen = await self._database.read(rows.seen)
        return [self._person(name, seen.get(name)) for name in self._people.named()]

    async def unlink(self, channel: str, sender: str) -> dict[str, Any]:
        """Know a person no longer by this id; returns {"person", "left"}: how many ways are left. Raises BotError."""
        person = await self._people.unlink(channel, sender)
        return {"person": person.name, "left": len(self._people.known_as(person.name))}

    def _person(self, name: str, seen: float | None) -> dict[str, Any]:
        settings = self._people.settings(name)
        role = self._people.role_of(name) if name in self._people.names() else settings.role
        return {
            "name": name,
            "role": str(role),
            "identities": [
                {
                    "channel": channel,
                    "sender": sender,
                    "from": "configuration" if known.since is None else "code",
                    "since": known.since,
                }
                for (channel, sender), known in sorted(self._people.known_as(name).items())
            ],
            "language": self._people.language(name),
            "timezone": settings.timezone or "",
            "prefers": settings.prefers or "",
            "last_seen": seen,
        }

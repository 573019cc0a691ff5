"""What the commands answer that only tell or change something of the one who asks: /status, /usage, /memory, ..."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot import usage_table
from bot.gateway.commands import Asked, Text
from bot.memory.keeper import TooLarge
from bot.memory.memory import Memory
from bot.ops import audit
from bot.storage.database import Database

_ROWS = 6
"""Of a table that /usage shows."""
_ALONE = "That is between the two of us: ask me in our own chat."


@dataclass(frozen=True, slots=True)
class Replies:
    """`summary(session)` is the text of /status, `usage()` the object behind `nanobot usage --json`, `agenda(asked)`
    the text of /jobs.
    """

    database: Database
    memory: Callable[[], Memory]
    summary: Callable[[str], Awaitable[str]]
    usage: Callable[[], Awaitable[Mapping[str, Any]]]
    agenda: Text

    def table(self) -> Mapping[str, Text]:
        """Each command of this kind by its name."""
        return {
            "status": self._status,
            "usage": self._usage,
            "memory": self._memory,
            "forget": self._forget,
            "jobs": self.agenda,
            "why": self._why,
        }

    async def _status(self, asked: Asked) -> str:
        return await self.summary(asked.session)

    async def _usage(self, _asked: Asked) -> str:
        return f"```\n{usage_table.render(await self.usage(), most=_ROWS)}\n```"

    async def _memory(self, asked: Asked) -> str:
        return self.memory().known(asked.person) if asked.private else _ALONE

    async def _forget(self, asked: Asked) -> str:
        if not asked.private:
            return _ALONE
        if not asked.argument:
            return "What? `/forget WORDS` drops the facts that hold all of these words; `/memory` shows them."
        try:
            gone = await self.memory().forget(asked.person, asked.argument)
        except TooLarge as error:
            return f"Nothing was forgotten: {error}."
        except OSError as error:
            return f"Nothing was forgotten: my notes can't be written ({error.strerror})."
        if not gone:
            return "No fact holds all of these words. What you have said with them so far won't become one."
        dropped = "\n".join(f"- {fact}" for fact in gone)
        return (
            f"Forgotten:\n{dropped}\n\n`nanobot memory history` on my machine still has the version before."
        )

    async def _why(self, asked: Asked) -> str:
        return await audit.why(self.database, asked.session, asked.person)

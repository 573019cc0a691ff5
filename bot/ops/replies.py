"""What the commands answer that only tell or change something of the one who asks: /status, /usage, /memory, ..."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot import usage_table
from bot.gateway.commands import Asked, Text
from bot.memory.keeper import TooLarge
from bot.memory.memory import Memory
from bot.ops import audit
from bot.ops.personal import ALONE, Personal
from bot.storage.database import Database
from bot.usage import Usage


@dataclass(frozen=True, slots=True)
class Replies:
    """`summary(session, whole)` is the text of /status, `usage` what models were asked for, `agenda(asked)` the text of
    /jobs. What the house spends is told to its owner alone, in their own chat.
    """

    database: Database
    memory: Callable[[], Memory]
    summary: Callable[[str, bool], Awaitable[str]]
    usage: Usage
    agenda: Text
    personal: Personal

    def table(self) -> Mapping[str, Text]:
        """Each command of this kind by its name."""
        return {
            "status": self._status,
            "usage": self._usage,
            "memory": self._memory,
            "forget": self._forget,
            "jobs": self.agenda,
            "why": self._why,
            **self.personal.table(),
        }

    async def _status(self, asked: Asked) -> str:
        return await self.summary(asked.session, asked.in_confidence)

    async def _usage(self, asked: Asked) -> str:
        if not asked.private:
            return ALONE
        if not asked.in_confidence:
            return usage_table.own(await self.usage.of(asked.person))
        return usage_table.listed(await self.usage.report())

    async def _memory(self, asked: Asked) -> str:
        return self.memory().known(asked.person) if asked.private else ALONE

    async def _forget(self, asked: Asked) -> str:
        if not asked.private:
            return ALONE
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

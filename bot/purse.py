"""What one message may cost, with all the work that is handed on for it: `[limits] usd_per_turn`, `tokens_per_turn`."""

from __future__ import annotations

from functools import partial
from typing import Self

from bot.config import Config
from bot.storage import ledger
from bot.storage.database import Database
from bot.storage.tables import Turn
from providers.ledger import Amount
from providers.money import dollars
from providers.settings import Limits
from providers.types import Allowance, ChatReply


class Purse:
    """`spent` is what was paid for already, where a turn goes on after a restart or an approval."""

    def __init__(self, limits: Limits | None = None, spent: Amount | None = None) -> None:
        self._limits = limits or Limits()
        self._spent = spent or Amount()

    @classmethod
    async def of(cls, database: Database, config: Config, turn: Turn) -> Self:
        """That of a new turn, or of one that goes on."""
        limits, spent = config.limits, None
        limited = limits.usd_per_turn is not None or limits.tokens_per_turn is not None
        if limited and turn.id is not None:
            # A write sees what still waits for a commit.
            spent = await database.write(
                partial(ledger.turn_spent, session=turn.session, since=turn.started_at)
            )
        return cls(limits, spent)

    @property
    def left(self) -> Allowance:
        usd, tokens = self._limits.usd_per_turn, self._limits.tokens_per_turn
        return Allowance(
            None if usd is None else max(0.0, usd - self._spent.usd),
            None if tokens is None else max(0, tokens - self._spent.tokens),
        )

    def spend(self, reply: ChatReply) -> None:
        self._spent += Amount(reply.usd, reply.paid_tokens)

    def words(self) -> str:
        """How much of what is used: "$0.09 of $0.10"; of both limits the one that is nearer."""
        limits, spent = self._limits, self._spent
        parts: list[tuple[float, str]] = []
        if limits.usd_per_turn is not None:
            share = spent.usd / limits.usd_per_turn if limits.usd_per_turn else 1.0
            parts.append((share, f"{dollars(spent.usd)} of {dollars(limits.usd_per_turn)}"))
        if limits.tokens_per_turn is not None:
            share = spent.tokens / limits.tokens_per_turn if limits.tokens_per_turn else 1.0
            parts.append((share, f"{spent.tokens:,} of {limits.tokens_per_turn:,} tokens"))
        return max(parts, default=(0.0, ""))[1]

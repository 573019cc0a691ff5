"""What every call of a model cost, kept by whoever runs us: `Ledger` is implemented by the bot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from providers.types import Route, Usage

ANSWERED = "answered"
CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Amount:
    """Money in US dollars, and tokens: those of prompts and of answers together."""

    usd: float = 0.0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.usd + other.usd, self.tokens + other.tokens)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model: when it began (epoch seconds), for whom, and what came of it.

    `paid` says that it counts towards the caps of `[limits]`. `usd` is None where no price is known. `outcome` is
    "answered", "cancelled", or the name of a class in `providers.errors`; "" while the call has not ended, and then
    `usage` and `usd` are the most that it may come to.
    """

    at: float
    role: str
    session: str
    route: Route
    paid: bool
    usage: Usage = field(default_factory=Usage)
    usd: float | None = None
    seconds: float = 0.0
    outcome: str = ""


class Ledger(Protocol):
    """Only `reserve` is worth waiting for: the others write when it costs nobody time, at the latest on closing."""

    async def spent(self, since: float) -> Mapping[str, Amount]:
        """By role, what the paid calls since then came to, those that never ended with the most they might have."""
        ...

    async def reserve(self, call: Call) -> int:
        """Write down a call before it is made, durably. Returns the number to settle it by; 0 where the disk
        refuses.
        """
        ...

    def settle(self, number: int, call: Call) -> None:
        """Put what came of it in the place of a reserved call."""
        ...

    def append(self, call: Call) -> None:
        """Add a call that has ended and was not reserved."""
        ...


class NoLedger:
    """Keeps nothing."""

    async def spent(self, since: float) -> Mapping[str, Amount]:  # noqa: ARG002 -- the protocol's
        return {}

    async def reserve(self, call: Call) -> int:  # noqa: ARG002 -- as above
        return 0

    def settle(self, number: int, call: Call) -> None:
        pass

    def append(self, call: Call) -> None:
        pass

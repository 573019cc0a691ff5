"""What is counted of the bot's work: nothing, unless somebody reads it; then by `bot.ops.metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers.types import Attempt


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn that ended so: `waited` seconds from the message's arrival to its beginning, `seconds` from there on.

    `paths` holds every call's attempts, in order.
    """

    outcome: str
    channel: str
    waited: float
    seconds: float
    paths: Sequence[Sequence[Attempt]]


class Meter:
    """Counts nothing."""

    def turn_ended(self, ended: TurnEnded) -> None:
        """A turn was committed."""

    def delivery(self, channel: str, state: str) -> None:
        """One send ended: sent, relayed, refused, moved, or queued again."""

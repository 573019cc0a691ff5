"""What a channel's driver gives the contract suite: the other side of the channel, where a person sits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from channels.base import Channel
from channels.errors import DeliveryError
from channels.types import Address


class Counterpart(Protocol):
    """One private conversation over `channel`, at `address`."""

    @property
    def channel(self) -> Channel: ...

    @property
    def address(self) -> Address: ...

    @property
    def redelivers(self) -> bool:
        """Whether what was not stored is offered again; else `say` raises, so that its writer knows."""
        ...

    async def say(self, text: str) -> None:
        """The person writes; returns once the message is on its way to a channel that runs."""
        ...

    def confirmed(self) -> int:
        """How many messages the person's side considers taken."""
        ...

    def shown(self) -> list[str]:
        """The bot's messages as the person reads them now, without markup, oldest first."""
        ...

    async def until(self, predicate: Callable[[], object]) -> None:
        """Wait for something that happens on either side. Raises TimeoutError."""
        ...

    def failures(self) -> dict[str, type[DeliveryError]]:
        """Names of the ways in which a send can be made to fail here, and how each must count."""
        ...

    async def fail(self, name: str) -> None:
        """Let the next send fail in this way."""
        ...

    def distract(self) -> None:
        """Let the next sign of typing fail, where there is one."""
        ...

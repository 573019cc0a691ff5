"""The seam between the bot and a channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from channels.types import Address, ChannelStatus, Outbound, Receipt, Take


class Channel(Protocol):
    """Carries text between people and the bot. It keeps itself connected and never raises for a lost network."""

    kind: str

    async def run(self, take: Take) -> None:
        """Receive until cancelled. Backs off and reconnects by itself; `status` says how it stands.

        What `take` raises means "not stored": the messages stay unconfirmed and are offered again.
        """
        ...

    async def send(self, out: Outbound) -> Receipt:
        """Deliver one piece, or replace the preview that `out.edits` names. Raises `DeliveryError`."""
        ...

    async def preview(self, address: Address, text: str, ref: str) -> str:
        """Show unfinished text: a new message when `ref` is empty, else an edit. Returns its reference.

        Returns "" where the channel has no previews. Raises `DeliveryError`; a preview may always be given up.
        """
        ...

    async def working(self, address: Address) -> None:
        """Show for a few seconds that an answer is being prepared. Never raises for a failed delivery."""
        ...

    def split(self, text: str) -> list[str]:
        """Cut Markdown into pieces that this channel accepts, each complete in itself."""
        ...

    @property
    def status(self) -> ChannelStatus: ...

    @property
    def preview_interval(self) -> float:
        """Seconds between two edits of a preview that the channel's server and a reader's eye bear; 0: no previews."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Command:
    """One entry of a channel's command menu."""

    name: str
    help: str


@dataclass(frozen=True, slots=True)
class PersonKey:
    """What a channel adds to `[people.<name>]`: `telegram = 123` or a list. `normalise` raises ValueError."""

    name: str
    normalise: Callable[[Any], str]
    expected: str


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """What an adapter exports as `SPEC`."""

    kind: str
    settings: type[BaseModel]
    create: Callable[[Any, Sequence[Command]], Channel]
    person: PersonKey | None = None

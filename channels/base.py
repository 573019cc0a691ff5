"""The seam between the bot and a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from channels.errors import Refused
from channels.types import Address, Attachment, ChannelStatus, Outbound, Receipt, Report, Take


class Channel(Protocol):
    """Carries messages between people and the bot. It keeps itself connected and never raises for a lost network."""

    kind: str

    async def run(self, take: Take, report: Report, /) -> None:
        """Receive until cancelled. Backs off and reconnects by itself; `status` says how it stands.

        What `take` raises means "not stored": the messages stay unconfirmed and are offered again. `report` is told
        what became of messages whose receipt was not settled, or that came back.
        """
        ...

    async def fetch(self, attachment: Attachment, to: Path, most: int, /) -> None:
        """Bring the bytes of a received file to the path `to`, at most so many. Raises `DeliveryError`: `NotSent`
        where it may work later, `Refused` where never (gone, too large).
        """
        ...

    async def acknowledge(self, address: Address, ref: str, /) -> None:
        """Show at the message `ref` that it was taken while something else is being done. Never raises for a failed
        delivery.
        """
        ...

    async def send(self, out: Outbound) -> Receipt:
        """Deliver one piece, or replace the preview that `out.edits` names. Raises `DeliveryError`."""
        ...

    async def preview(self, address: Address, text: str, ref: str, reply_to: str = "") -> str:
        """Show unfinished text: a new message, which answers `reply_to`, when `ref` is empty, else an edit. Returns its
        reference.

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

    @property
    def patience(self) -> float:
        """Seconds after which a reader who still has no answer is told so in a message of its own; 0: never."""
        ...

    @property
    def file_limit(self) -> int:
        """Most bytes of a file that can be sent; 0: none can."""
        ...

    async def aclose(self) -> None: ...


class TextOnly:
    """What a channel without files and acknowledgements has of `Channel`."""

    patience = 0.0
    file_limit = 0

    async def fetch(self, _attachment: Attachment, _to: Path, _most: int) -> None:
        raise Refused("this channel carries no files")

    async def acknowledge(self, _address: Address, _ref: str) -> None:
        """Nothing is shown."""


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


class Store(Protocol):
    """A channel's own durable notes: cursors, what it learned of its server, threads. Values are JSON objects."""

    async def load(self, key: str) -> dict[str, Any] | None: ...

    async def save(self, key: str, value: Mapping[str, Any]) -> None:
        """Durable when it returns."""
        ...

    async def delete(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Host:
    """What the bot lends a channel: the menu of commands, durable notes, a folder of its own, the owner's ear.

    `tell(text)` tells the owner, on another channel where there is one, one line of what only they can mend; saying
    the same again within a day says nothing.
    """

    commands: Sequence[Command]
    store: Store
    folder: Path
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Examined:
    """One line of `nanobot doctor`: `fix` says what to do and is empty where all is well."""

    level: Literal["ok", "warning", "error"]
    subject: str
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """What an adapter exports as `SPEC`.

    `create(settings, host)` makes the channel. Without `pairing`, a stranger is never answered, not even with a code.
    `examine(settings, host)` looks, for the doctor, whether servers are reached and take our credentials; it changes
    nothing. `login(settings, host, say, number)` links an account by talking to the person at the terminal, with the
    `number` of their phone ("" unless they gave it) by a code to type there; it raises ChannelError (its text names
    the fix), and cancelling it leaves nothing behind.
    """

    kind: str
    settings: type[BaseModel]
    create: Callable[[Any, Host], Channel]
    person: PersonKey | None = None
    pairing: bool = True
    examine: Callable[[Any, Host], AsyncGenerator[Examined, None]] | None = None
    login: Callable[[Any, Host, Callable[[str], None], str], Awaitable[None]] | None = None

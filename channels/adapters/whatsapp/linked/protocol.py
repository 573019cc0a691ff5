"""What the channel and its child say to each other: one JSON object a line, in UTF-8, over the child's pipes. Pure.

Files are never in a frame; their paths are. Either side ends the talk where the other sends what can't be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from channels.types import Inbound, Media

VERSION = 1
LONGEST_LINE = 4 * 1024 * 1024
"""Bytes. A text of 65,536 characters, quoted once, with every character escaped."""


class Malformed(Exception):
    """A line that is no frame."""


class State(StrEnum):
    """What becomes of the connection to WhatsApp."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """The library connects again by itself."""
    STALLED = "stalled"
    """Pings get no answer."""
    PAIRED = "paired"
    PAIRING_FAILED = "pairing failed"
    UNLINKED = "unlinked"
    LOGGED_OUT = "logged out"
    REPLACED = "replaced"
    BANNED = "banned"
    OUTDATED = "outdated"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    STOPPED = "stopped"
    """The library gave up by itself."""
    IN_USE = "in use"
    """Another process has the store."""
    NO_LIBRARY = "no library"


class Outcome(StrEnum):
    """How a call failed; see channels/errors.py."""

    NOT_SENT = "not sent"
    UNKNOWN = "unknown"
    REFUSED = "refused"


# From the child


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame. `library` is its version."""

    version: int
    library: str = ""
    kind: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class Beat:
    """The child lives, and so does its connection where `connected`."""

    connected: bool
    kind: Literal["beat"] = "beat"


@dataclass(frozen=True, slots=True)
class Link:
    """`reason` is the library's word for it; `seconds` how long a ban lasts, 0 where nobody says."""

    state: State
    reason: str = ""
    seconds: float = 0.0
    kind: Literal["link"] = "link"


@dataclass(frozen=True, slots=True)
class Code:
    """What links this device: the content of a QR code, or letters to type into the phone."""

    text: str
    typed: bool = False
    kind: Literal["code"] = "code"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that is in the spool as number `seq` until it is taken."""

    seq: int
    message: Inbound
    kind: Literal["arrived"] = "arrived"


@dataclass(frozen=True, slots=True)
class Done:
    call: int
    ref: str = ""
    kind: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Failed:
    call: int
    outcome: Outcome
    detail: str
    kind: Literal["failed"] = "failed"


# To the child


@dataclass(frozen=True, slots=True)
class Pair:
    """Link this device by a code typed into the phone of this number (digits only)."""

    number: str
    kind: Literal["pair"] = "pair"


@dataclass(frozen=True, slots=True)
class Answered:
    """The message that a new one answers: its reference and its first words."""

    ref: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    path: str
    name: str
    mime: str
    media: Media


@dataclass(frozen=True, slots=True)
class Send:
    """`key` is the same whenever the same message is tried again; `edits` names a message whose text this replaces."""

    call: int
    key: str
    chat: str
    text: str
    edits: str = ""
    answers: Answered | None = None
    file: Upload | None = None
    kind: Literal["send"] = "send"


@dataclass(frozen=True, slots=True)
class Fetch:
    call: int
    ref: str
    to: str
    most: int
    kind: Literal["fetch"] = "fetch"


@dataclass(frozen=True, slots=True)
class Taken:
    """These messages are stored; nothing need be kept of them. `read`: their senders see the blue ticks."""

    seqs: tuple[int, ...]
    read: bool = False
    kind: Literal["taken"] = "taken"


@dataclass(frozen=True, slots=True)
class Typing:
    chat: str
    kind: Literal["typing"] = "typing"


@dataclass(frozen=True, slots=True)
class React:
    chat: str
    ref: str
    emoji: str
    kind: Literal["react"] = "react"


@dataclass(frozen=True, slots=True)
class Stop:
    kind: Literal["stop"] = "stop"


Told = Hello | Beat | Link | Code | Arrived | Done | Failed
"""What the child says."""
Order = Pair | Send | Fetch | Taken | Typing | React | Stop
"""What it is told."""


@cache
def _told() -> TypeAdapter[Told]:
    return TypeAdapter(Annotated[Told, Field(discriminator="kind")])


@cache
def _order() -> TypeAdapter[Order]:
    return TypeAdapter(Annotated[Order, Field(discriminator="kind")])


def encode(frame: Told | Order) -> bytes:
    """The frame's line, its end included."""
    if isinstance(frame, Told):
        return _told().dump_json(frame) + b"\n"
    return _order().dump_json(frame) + b"\n"


def told(line: bytes) -> Told:
    """Raises Malformed."""
    try:
        return _told().validate_json(line)
    except ValidationError as error:
        raise Malformed(f"the child says what can't be read: {line[:80]!r}") from error


def order(line: bytes) -> Order:
    """Raises Malformed."""
    try:
        return _order().validate_json(line)
    except ValidationError as error:
        raise Malformed(f"an order that can't be read: {line[:80]!r}") from error


@dataclass(slots=True)
class Lines:
    """Cuts a stream into its lines, however its bytes come."""

    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends. Raises Malformed where one is far too long."""
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        if len(rest) > LONGEST_LINE or any(len(line) > LONGEST_LINE for line in lines):
            raise Malformed("a line without end")
        self._rest = bytearray(rest)
        return lines

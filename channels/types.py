"""What travels between people and the bot, the same for every channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a conversation takes place. One address is one session: a chat, or a topic or thread within it."""

    channel: str
    chat: str
    thread: str = ""

    def __str__(self) -> str:
        return f"{self.channel}:{self.chat}/{self.thread}" if self.thread else f"{self.channel}:{self.chat}"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote: an id that the channel never gives to anybody else, and a name fit for display only."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message as a channel received it.

    `key` is unique within the channel and the same when the same message is delivered again. `addressed` says that
    it is meant for the bot (always so in a private chat). `more_follows` says that the sender's program split a long
    text, so that the rest is on its way. `ref` is the message's reference, for replies to it. `at` is in UTC.
    """

    key: str
    address: Address
    sender: Sender
    text: str
    at: datetime
    private: bool = True
    addressed: bool = True
    more_follows: bool = False
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One piece to deliver, in Markdown, within the channel's limit.

    `id` is the outbox row's, for channels with an idempotency key of their own. `edits` is the reference of an
    earlier preview that this text replaces; `reply_to` the reference of the message it answers; `kind` is answer,
    notice or reply (of a command).
    """

    id: int
    address: Address
    text: str
    edits: str = ""
    reply_to: str = ""
    kind: str = "answer"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The channel's own reference of a message that it accepted."""

    ref: str


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """For `nanobot status`: `detail` is one line that names the fix when `up` is false. Times are epoch seconds."""

    up: bool
    detail: str = ""
    last_received_at: float | None = None
    last_sent_at: float | None = None


Take = Callable[[Sequence[Inbound]], Awaitable[None]]
"""Stores messages durably. Only when it returns may the sender's server be told that they were taken."""

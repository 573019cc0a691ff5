"""What travels between people and the bot, the same for every channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path


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


class Media(StrEnum):
    """What a file is to the people who send it."""

    IMAGE = "image"
    VOICE = "voice"
    """Speech recorded for this message: the sender's own words."""
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message. Its bytes are `content`, or else what `Channel.fetch` brings by `ref`.

    `name` is as the sender's program gave it, fit for display only; "" where it gave none. `size` is in bytes, 0 where
    nobody said. `mime` may be "".
    """

    kind: Media
    name: str = ""
    mime: str = ""
    size: int = 0
    ref: str = ""
    content: bytes = field(default=b"", repr=False)


class Whose(StrEnum):
    """Who wrote what a message quotes."""

    SENDER = "sender"
    BOT = "bot"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that a message holds without its sender writing them now: what it answers, quotes or forwards.

    `source` names it in a few words ("forwarded from Anna", "the mail that this answers"); `ref` is the reference of
    the quoted message where it has one.
    """

    text: str
    source: str
    whose: Whose = Whose.OTHER
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message as a channel received it.

    `key` is unique within the channel and the same when the same message is delivered again. `text` is what the sender
    wrote, nothing else; what they passed on stands in `quotes` and `attachments`. `addressed` says that it is meant for
    the bot (always so in a private chat). `more_follows` says that the rest of a split text or of an album is on its
    way. `ref` is the message's reference, for replies to it; `edits` that of an earlier message which this one, its
    new version, replaces. `invites` says that the sender brought the bot into this group; such a message has no text.
    `at` is in UTC.
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
    attachments: tuple[Attachment, ...] = ()
    quotes: tuple[Quote, ...] = ()
    edits: str = ""
    invites: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file to deliver. `path` is where its bytes lie, `name` what the reader's program shall call it."""

    path: Path
    name: str
    mime: str
    kind: Media = Media.FILE


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: pressing it sends `says` as the reader's own message. `label` is at most 20 characters."""

    label: str
    says: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """One piece to deliver, in Markdown, within the channel's limit.

    `id` is the outbox row's, for channels with an idempotency key of their own. `edits` is the reference of an
    earlier preview that this text replaces; where that can't be, `mark` goes before the text ("" unless it may be a
    repeat). `reply_to` is the reference of the message it answers; `kind` is answer, notice, reply (of a command),
    question (to the owner) or message. With a `file` the text is its caption and may be empty. `choices` are shown as
    buttons where the channel has any; the text says how to answer without.
    """

    id: int
    address: Address
    text: str
    edits: str = ""
    reply_to: str = ""
    kind: str = "answer"
    file: File | None = None
    choices: tuple[Choice, ...] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The channel's own reference of a message that it accepted.

    Not `settled`: a `DeliveryReport` with this reference will tell whether it arrived.
    """

    ref: str
    settled: bool = True


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a channel learned later of a message that it had accepted: a bounce, a status.

    With `again` the message may be sent once more: after a while, and at once when the reader writes something.
    """

    ref: str
    delivered: bool
    detail: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """For `nanobot status`: `detail` is one line that names the fix when `up` is false. Times are epoch seconds.

    `notes` are further lines for the owner, such as what was kept aside and why. `beat` is when its receive loop last
    turned, in monotonic seconds; it does so every fifteen minutes at least, even while it backs off.
    """

    up: bool
    detail: str = ""
    last_received_at: float | None = None
    last_sent_at: float | None = None
    notes: tuple[str, ...] = ()
    beat: float | None = None


Take = Callable[[Sequence[Inbound]], Awaitable[None]]
"""Stores messages durably. Only when it returns may the sender's server be told that they were taken."""

Report = Callable[[DeliveryReport], Awaitable[None]]
"""Takes, durably, what a channel learned later of a message that it had accepted."""

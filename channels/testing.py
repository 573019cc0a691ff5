"""A channel in memory, for tests: people write with `say`, and `seen` is what they read.

    channel = LoopbackChannel()
    channel.fail(Unknown("no answer"), took_effect=True)
    message = channel.say("hello")
    ...
    await channel.until(lambda: channel.seen() == ["Hi"])

`log` tells the order of everything: what was offered, refused and confirmed, sent, shown and failed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from channels.base import Command, Host
from channels.errors import DeliveryError, Refused
from channels.split import split
from channels.types import (
    Address,
    Attachment,
    ChannelStatus,
    Choice,
    DeliveryReport,
    File,
    Inbound,
    Outbound,
    Receipt,
    Report,
    Sender,
    Take,
)

log = logging.getLogger(__name__)

What = Literal[
    "offered", "refused", "confirmed", "sent", "edited", "previewed", "working", "failed", "acknowledged"
]


@dataclass(frozen=True, slots=True)
class Event:
    """`about` is a message's key for what comes in, its text for what goes out."""

    what: What
    about: str


@dataclass(slots=True)
class Shown:
    """A message of the bot as people see it; `history` holds every text it had, previews included."""

    ref: str
    address: Address
    text: str
    reply_to: str = ""
    file: File | None = None
    choices: tuple[Choice, ...] = ()
    history: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: DeliveryError
    took_effect: bool


async def unreported(report: DeliveryReport) -> None:
    """For channels that never report: fails if one does."""
    raise AssertionError(f"reported {report}")


class MemoryStore:
    """A channel's notes that last as long as this object; as JSON, as the real ones."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def load(self, key: str) -> dict[str, Any] | None:
        text = self.values.get(key)
        return None if text is None else dict(json.loads(text))

    async def save(self, key: str, value: Mapping[str, Any]) -> None:
        self.values[key] = json.dumps(dict(value))

    async def delete(self, key: str) -> None:
        self.values.pop(key, None)


def host(folder: Path = Path(), commands: Sequence[Command] = (), told: list[str] | None = None) -> Host:
    """What a channel is lent in tests; what it tells the owner goes to `told`."""
    heard = [] if told is None else told
    return Host(commands, MemoryStore(), folder, heard.append)


class LoopbackChannel:
    """`limit` is in UTF-16 units; `retry` is how many seconds later a message is offered again that was not taken."""

    def __init__(
        self,
        kind: str = "loopback",
        *,
        limit: int = 4000,
        preview_interval: float = 0.01,
        retry: float = 0.005,
    ) -> None:
        self.kind = kind
        self.preview_interval = preview_interval
        self.log: list[Event] = []
        self.messages: list[Shown] = []
        self.sends: list[Outbound] = []
        self._limit = limit
        self._retry = retry
        self._arrived: deque[Inbound] = deque()
        self._failures: deque[_Failure] = deque()
        self._running = False
        self._refs = itertools.count(1)
        self._changed = asyncio.Condition()
        self._wake = asyncio.Event()
        self._received_at: float | None = None
        self._sent_at: float | None = None
        self.patience = 0.0
        self.settled = True
        """Whether its receipts are; else tests report `later`."""
        self.file_limit = 1_000_000
        self.files: dict[str, bytes] = {}
        """What `fetch` brings, by reference."""
        self._report: Report | None = None

    # What people do and see

    def say(self, text: str, chat: str = "1", thread: str = "", sender: str = "1", **fields: Any) -> Inbound:
        """Somebody writes; `fields` are further ones of `Inbound`. It is offered as soon as the channel runs."""
        number = str(next(self._refs))
        message = Inbound(
            key=f"{chat}:{number}",
            address=Address(self.kind, chat, thread),
            sender=Sender(sender, f"Person {sender}"),
            text=text,
            at=datetime.now(UTC),
            ref=number,
        )
        message = replace(message, **fields)
        self.deliver(message)
        return message

    def deliver(self, message: Inbound) -> None:
        """Offer a message as it is; one that was confirmed before comes a second time."""
        self._arrived.append(message)
        self._wake.set()

    def seen(self, chat: str = "1", thread: str = "") -> list[str]:
        """What the bot's messages say there now, oldest first."""
        address = Address(self.kind, chat, thread)
        return [message.text for message in self.messages if message.address == address]

    def forget(self, ref: str) -> None:
        """Somebody deletes a message of the bot."""
        self.messages = [message for message in self.messages if message.ref != ref]

    async def later(self, report: DeliveryReport) -> None:
        """The server tells what became of a message that it had accepted."""
        if self._report is None:
            raise RuntimeError("the channel doesn't run")
        await self._report(report)

    # What tests arrange and look at

    def fail(self, *errors: DeliveryError, took_effect: bool = False) -> None:
        """Let the next sends fail, one by one; with `took_effect` people see the message all the same."""
        self._failures.extend(_Failure(error, took_effect) for error in errors)

    def order(self, *what: What) -> list[Event]:
        """The log, of these kinds only."""
        return [event for event in self.log if event.what in what]

    def is_confirmed(self, message: Inbound) -> bool:
        return Event("confirmed", message.key) in self.log

    async def until(self, predicate: Callable[[], object], seconds: float = 15.0) -> None:
        """Wait until this is true; asked whenever something happens here. Raises TimeoutError with the log."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: bool(predicate()))
        except TimeoutError:
            raise TimeoutError(f"not within {seconds} s; the log: {self.log}") from None

    # The channel

    async def run(self, take: Take, report: Report) -> None:
        self._running, self._report = True, report
        try:
            while True:
                await self._wake.wait()
                await self._offer(list(self._arrived), take)
        finally:
            self._running = False

    async def _offer(self, batch: list[Inbound], take: Take) -> None:
        await self._note("offered", *(message.key for message in batch))
        try:
            await take(batch)
        except Exception as error:
            log.info("not taken, so it is offered again", exc_info=error)
            await self._note("refused", *(message.key for message in batch))
            await asyncio.sleep(self._retry)
            return
        for _ in batch:
            self._arrived.popleft()
        if not self._arrived:
            self._wake.clear()
        self._received_at = time.time()
        await self._note("confirmed", *(message.key for message in batch))

    async def send(self, out: Outbound) -> Receipt:
        self.sends.append(out)
        failure = self._failures.popleft() if self._failures else None
        if failure is not None and not failure.took_effect:
            await self._note("failed", out.text)
            raise failure.error
        shown = self._show(out)
        await self._note("edited" if shown.ref == out.edits else "sent", out.text)
        if failure is not None:
            await self._note("failed", out.text)
            raise failure.error
        self._sent_at = time.time()
        return Receipt(shown.ref, self.settled)

    async def preview(self, address: Address, text: str, ref: str, reply_to: str = "") -> str:
        shown = self._show(Outbound(0, address, text, ref, reply_to))
        await self._note("previewed", text)
        return shown.ref

    def _show(self, out: Outbound) -> Shown:
        shown = next((message for message in self.messages if out.edits and message.ref == out.edits), None)
        if shown is None:
            out = replace(out, text=out.mark + out.text)
            shown = Shown(str(next(self._refs)), out.address, out.text, out.reply_to, out.file)
            self.messages.append(shown)
        shown.choices = out.choices
        shown.text = out.text
        shown.history.append(out.text)
        return shown

    async def working(self, address: Address) -> None:
        await self._note("working", str(address))

    async def fetch(self, attachment: Attachment, to: Path, most: int) -> None:
        content = self.files.get(attachment.ref)
        if content is None:
            raise Refused(f"there is no file {attachment.ref!r}")
        if len(content) > most:
            raise Refused("the file is too large")
        await asyncio.to_thread(to.write_bytes, content)

    async def acknowledge(self, _address: Address, ref: str) -> None:
        await self._note("acknowledged", ref)

    def split(self, text: str) -> list[str]:
        return split(text, self._limit)

    @property
    def status(self) -> ChannelStatus:
        detail = "" if self._running else "is not running"
        return ChannelStatus(self._running, detail, self._received_at, self._sent_at)

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def _note(self, what: What, *about: str) -> None:
        self.log.extend(Event(what, each) for each in about)
        async with self._changed:
            self._changed.notify_all()

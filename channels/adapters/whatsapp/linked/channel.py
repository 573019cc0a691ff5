"""The channel: messages to and from the child, whatever becomes of the child."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from channels.adapters.whatsapp.common import pieces, written
from channels.adapters.whatsapp.linked.keeper import CHILD, Keeper, Pace
from channels.adapters.whatsapp.linked.line import Gone
from channels.adapters.whatsapp.linked.protocol import (
    Answered,
    Arrived,
    Done,
    Failed,
    Fetch,
    Outcome,
    React,
    Send,
    Taken,
    Typing,
    Upload,
)
from channels.base import Host
from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.markup import parse, visible
from channels.types import (
    Address,
    Attachment,
    ChannelStatus,
    File,
    Inbound,
    Outbound,
    Receipt,
    Report,
    Take,
)

log = logging.getLogger(__name__)

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes. WhatsApp's own limit for documents is 2 GB; the library holds a file in memory three times over."""
_PREVIEW_SECONDS = 3.0
"""Every edit is a message of its own to each of the reader's devices, and a number that writes too much gets banned."""
_PREVIEW_LIMIT = 4000
_TYPING_SECONDS = 8.0
"""How long at least between two signs of typing; the apps show one for some twenty seconds."""
_REMEMBERED = 500
_QUOTED = 200
"""Characters of a message that is quoted in an answer to it."""
_RETRY_FIRST, _RETRY_MOST = 0.5, 60.0
_SEEN = "👀"
_INSTANCE = "linked"

T = TypeVar("T")


class LinkedSettings(Protocol):
    @property
    def groups(self) -> bool:
        """Whether the bot answers in groups."""
        ...

    @property
    def streaming(self) -> bool:
        """Whether an answer is shown while it is being made."""
        ...


class LinkedChannel:
    """WhatsApp as a linked device. `command` starts the child."""

    kind = "whatsapp"
    patience = 0.0
    file_limit = FILE_LIMIT

    def __init__(
        self,
        settings: LinkedSettings,
        host: Host,
        *,
        pace: Pace | None = None,
        command: Sequence[str] = CHILD,
    ) -> None:
        self.preview_interval = _PREVIEW_SECONDS if settings.streaming else 0.0
        self._groups = settings.groups
        self._host = host
        self._pace = pace or Pace()
        self._keeper = Keeper(host.folder, self._hear, host.tell, self._pace, command)
        self._arrived: dict[int, Inbound] = {}
        self._news = asyncio.Event()
        self._storing = ""
        self._instance = ""
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._latest: OrderedDict[str, str] = OrderedDict()
        self._typed: OrderedDict[str, float] = OrderedDict()
        self._received_at: float | None = None
        self._sent_at: float | None = None

    @property
    def status(self) -> ChannelStatus:
        standing = self._keeper.standing
        detail = self._storing or standing.detail
        return ChannelStatus(standing.up and not self._storing, detail, self._received_at, self._sent_at)

    async def run(self, take: Take, _report: Report) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.keep(), name="whatsapp child")
            group.create_task(self._receive(take), name="whatsapp messages")

    async def aclose(self) -> None:
        await self._keeper.aclose()

    def split(self, text: str) -> list[str]:
        return pieces(text)

    # Receiving

    def _hear(self, frame: Arrived) -> None:
        self._arrived[frame.seq] = frame.message
        self._news.set()

    async def _receive(self, take: Take) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._arrived:
                await self._hand_over(dict(self._arrived), take)

    async def _hand_over(self, batch: dict[int, Inbound], take: Take) -> None:
        """Offer the same messages until they are stored; only then may the child forget them."""
        wanted = {seq: one for seq, one in sorted(batch.items()) if one.private or self._groups}
        wait = _RETRY_FIRST
        while wanted:
            try:
                await take(list(wanted.values()))
            except Exception as error:  # by contract, whatever it raises means "not stored"
                if not self._storing:
                    log.error("WhatsApp: messages can't be stored", exc_info=error)
                self._storing = f"messages can't be stored, so they wait beside the link: {error}"
                await asyncio.sleep(wait)
                wait = min(2 * wait, _RETRY_MOST)
            else:
                self._received_at = time.time()
                break
        self._storing = ""
        for message in wanted.values():
            self._note(message)
        for seq in batch:
            del self._arrived[seq]
        if line := self._keeper.say():
            read = tuple(seq for seq, one in wanted.items() if one.addressed)
            line.tell(Taken(read, read=True))
            line.tell(Taken(tuple(batch.keys() - read)))

    def _note(self, message: Inbound) -> None:
        """Remember what an answer may quote."""
        if message.ref:
            _keep(self._texts, message.ref, message.text[:_QUOTED])
            _keep(self._latest, message.address.chat, message.ref)

    async def fetch(self, attachment: Attachment, to: Path, most: int) -> None:
        line = await self._keeper.connected()
        try:
            answer = await line.call(Fetch(0, attachment.ref, str(to), most), self._pace.call)
        except (Gone, TimeoutError) as error:
            raise NotSent("WhatsApp: the file could not be fetched now") from error
        _checked(answer)

    async def acknowledge(self, address: Address, ref: str) -> None:
        if ref and (line := self._keeper.say()):
            line.tell(React(address.chat, ref, _SEEN))

    # Sending

    async def send(self, out: Outbound) -> Receipt:
        if out.edits:
            try:
                return Receipt(await self._send(out, await self._key(out), out.edits))
            except Refused as error:  # older than the quarter of an hour in which WhatsApp takes edits
                log.info("WhatsApp: an edit was refused, so the text is sent anew: %s", error.detail)
        return Receipt(await self._send(replace(out, text=out.mark + out.text), await self._key(out)))

    async def preview(self, address: Address, text: str, ref: str, reply_to: str = "") -> str:
        if not self.preview_interval or not visible(parse(text)).strip():
            return ref
        shown = text if len(text) <= _PREVIEW_LIMIT else f"…{text[-_PREVIEW_LIMIT:]}"
        return await self._send(Outbound(0, address, shown, reply_to=reply_to), secrets.token_hex(16), ref)

    async def _send(self, out: Outbound, key: str, edits: str = "") -> str:
        """The reference of the message, which is new unless it `edits` one."""
        answers = None if edits else self._answered(out)
        order = Send(0, key, out.address.chat, written(out.text), edits, answers, _upload(out.file))
        line = await self._keeper.connected()
        try:
            ref = _checked(await line.call(order, self._pace.call))
        except (Gone, TimeoutError, Unknown) as error:
            words = error.detail if isinstance(error, Unknown) else f"no answer came: {error}".rstrip(": ")
            if edits:  # but a repeated edit shows nothing twice
                raise NotSent(words) from error
            raise Unknown(words) from error
        self._sent_at = time.time()
        return ref

    def _answered(self, out: Outbound) -> Answered | None:
        """What to quote: in a group always, in a private chat where something newer stands between."""
        if out.reply_to not in self._texts:
            return None
        group = "@g.us" in out.address.chat
        if not group and self._latest.get(out.address.chat) == out.reply_to:
            return None
        return Answered(out.reply_to, self._texts[out.reply_to])

    async def _key(self, out: Outbound) -> str:
        """The same for the same row of the outbox, also with a mark put in a line before its text; never that of
        another row, also where a database was made anew or put back and numbers come again."""
        if not self._instance:
            known = await self._host.store.load(_INSTANCE) or {"id": secrets.token_hex(8)}
            await self._host.store.save(_INSTANCE, known)
            self._instance = str(known["id"])
        last = out.text.rsplit("\n", 1)[-1]
        file = str(out.file.path) if out.file else ""
        parts = (self._instance, str(out.id), out.address.chat, last, file)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]

    async def working(self, address: Address) -> None:
        now = self._pace.clock()
        if now - self._typed.get(address.chat, -_TYPING_SECONDS) < _TYPING_SECONDS:
            return
        _keep(self._typed, address.chat, now)
        if line := self._keeper.say():
            line.tell(Typing(address.chat))


def _checked(answer: Done | Failed) -> str:
    """The reference that a call brought. Raises DeliveryError."""
    if isinstance(answer, Done):
        return answer.ref
    kinds: dict[Outcome, type[DeliveryError]] = {
        Outcome.NOT_SENT: NotSent,
        Outcome.UNKNOWN: Unknown,
        Outcome.REFUSED: Refused,
    }
    raise kinds[answer.outcome](answer.detail)


def _upload(file: File | None) -> Upload | None:
    return None if file is None else Upload(str(file.path.absolute()), file.name, file.mime, file.kind)


def _keep(shelf: OrderedDict[str, T], key: str, value: T) -> None:
    """Put something last; the oldest goes where there are too many."""
    shelf[key] = value
    shelf.move_to_end(key)
    while len(shelf) > _REMEMBERED:
        shelf.popitem(last=False)

"""The channel: sends, edits and previews through the Bot API, and receives by asking or through a webhook."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from telegram import Bot
from telegram.constants import ChatAction

from channels.adapters.telegram.buttons import Buttons
from channels.adapters.telegram.download import Downloads
from channels.adapters.telegram.errors import FAILURES, delivery_error
from channels.adapters.telegram.groups import MovedGroups
from channels.adapters.telegram.pacing import PreviewPace
from channels.adapters.telegram.receiver import Account, Pace, Poller
from channels.adapters.telegram.reception import Reception
from channels.adapters.telegram.request import BotRequest
from channels.adapters.telegram.settings import TelegramSettings
from channels.adapters.telegram.uploads import OFFICIAL_LIMIT, OWN_LIMIT, Uploads
from channels.adapters.telegram.writer import CAPTION_LIMIT, MESSAGE_LIMIT, Body, Writer, formatted, thread
from channels.base import Host
from channels.errors import NotSent, Unknown
from channels.markup import Event, Mark, flowing, parse, utf16_units, visible
from channels.split import seen, split
from channels.types import Address, Attachment, ChannelStatus, File, Outbound, Receipt, Report, Take

log = logging.getLogger(__name__)

_MARK_RESERVE = 64
"""Units that a mark before a repeated message may take."""

_PIECE_LIMIT = MESSAGE_LIMIT - _MARK_RESERVE
_UNITS_OF_A_MARK = _PIECE_LIMIT // 100
"""Telegram shows at most a hundred entities in a message and leaves further formatting and links out."""

_PREVIEW_LIMIT = 4000
_PREVIEW_SECONDS = 1.5
_POLL_GRACE_SECONDS = 10.0
_SIGN_SECONDS = 5.0
_EYES = "👀"


class TelegramChannel:
    kind = "telegram"
    patience = 0.0

    def __init__(self, settings: TelegramSettings, host: Host, *, pace: Pace | None = None) -> None:
        self.preview_interval = _PREVIEW_SECONDS if settings.streaming else 0.0
        self.file_limit = OFFICIAL_LIMIT if settings.official else OWN_LIMIT
        self._pace = pace or Pace()
        sending, polling, self._http = _clients(settings, self._pace)
        self._requests = sending, polling
        self._bot = Bot(
            settings.token.get_secret_value(), settings.base_url, settings.files_url, sending, polling
        )
        self._store = host.store
        self._moved = MovedGroups(host.store)
        self._buttons = Buttons(host.store)
        self._writer = Writer(self._bot, self._moved)
        self._uploads = Uploads(self._writer, self.file_limit)
        self._downloads = Downloads(self._bot, settings, self._http)
        self._account = Account(self._bot, host, self._pace)
        self._reception = Reception(self._bot, settings.groups, self._moved, self._buttons)
        self._receive = Poller(self._account, polling, self._reception).run
        if settings.webhook_url:
            from channels.adapters.telegram.hook import Hook  # noqa: PLC0415 -- a web server, which few need

            self._receive = Hook(self._account, settings, self._reception).run
        self._previews = PreviewPace()
        self._sent_at: float | None = None

    @property
    def status(self) -> ChannelStatus:
        link = self._account.link
        return ChannelStatus(link.up, link.detail, self._reception.received_at, self._sent_at, beat=link.beat)

    async def run(self, take: Take, _report: Report) -> None:
        await self._receive(take)

    async def aclose(self) -> None:
        for request in self._requests:
            await request.shutdown()
        await self._http.aclose()

    async def fetch(self, attachment: Attachment, to: Path, most: int) -> None:
        await self._downloads.fetch(attachment.ref, to, most)

    async def acknowledge(self, address: Address, ref: str) -> None:
        try:
            await self._bot.set_message_reaction(
                await self._moved.chat(address), int(ref), _EYES, read_timeout=_SIGN_SECONDS
            )
        except FAILURES as error:  # a group may forbid reactions
            log.debug("Telegram: a message was not marked as seen: %s", type(error).__name__)

    async def working(self, address: Address) -> None:
        try:
            await self._bot.send_chat_action(
                await self._moved.chat(address),
                ChatAction.TYPING,
                thread(address),
                read_timeout=_SIGN_SECONDS,
            )
        except FAILURES as error:
            log.debug("Telegram: the sign of typing was not shown: %s", type(error).__name__)

    def split(self, text: str) -> list[str]:
        return split(text, _PIECE_LIMIT, _size)

    async def send(self, out: Outbound) -> Receipt:
        ref = await self._write(out) if out.file is None else await self._send_file(out, out.file)
        self._sent_at = time.time()
        return Receipt(ref)

    async def _write(self, out: Outbound) -> str:
        keyboard = await self._buttons.keyboard(out.choices)
        if out.edits:
            try:
                if await formatted(
                    out.text,
                    MESSAGE_LIMIT,
                    lambda text, mode: self._writer.edit(out.address, out.edits, Body(text, mode, keyboard)),
                ):
                    return out.edits
            except FAILURES as error:
                failure = delivery_error(error)
                if isinstance(failure, Unknown):  # but a repeated edit shows nothing twice
                    raise NotSent(failure.detail) from error
                raise failure from error
        try:
            return await formatted(
                out.mark + out.text,
                MESSAGE_LIMIT,
                lambda text, mode: self._writer.post(out, Body(text, mode, keyboard)),
            )
        except FAILURES as error:
            raise delivery_error(error) from error

    async def _send_file(self, out: Outbound, file: File) -> str:
        """A file with its text as caption; what is too long for one follows as a message of its own."""
        if not out.edits and utf16_units(visible(parse(out.text))) <= CAPTION_LIMIT:
            return await self._upload(
                out, file, Body(out.text, None, await self._buttons.keyboard(out.choices))
            )
        # A text that fails must not bring the file a second time.
        note = f"file of {out.id}"
        if await self._store.load(note) is None:
            await self._store.save(note, {"ref": await self._upload(out, file, Body(""))})
        ref = await self._write(out)
        await self._store.delete(note)
        return ref

    async def _upload(self, out: Outbound, file: File, caption: Body) -> str:
        try:
            return await self._uploads.send(out, file, caption)
        except FAILURES as error:
            raise delivery_error(error) from error

    async def preview(self, address: Address, text: str, ref: str, reply_to: str = "") -> str:
        now = self._pace.monotonic()
        shown = _tail(visible(parse(text[-2 * _PREVIEW_LIMIT :])))
        if not shown.strip() or not self._previews.allows(address, now, first=not ref):
            return ref
        try:
            if ref and await self._writer.edit(address, ref, Body(shown)):
                return ref
            return await self._writer.post(Outbound(0, address, text, reply_to=reply_to), Body(shown))
        except FAILURES as error:
            failure = delivery_error(error)
            if isinstance(failure, NotSent) and failure.retry_after:
                self._previews.quiet(address, now, failure.retry_after)
            raise failure from error


def _clients(settings: TelegramSettings, pace: Pace) -> tuple[BotRequest, BotRequest, httpx.AsyncClient]:
    """For sending, for asking, for files."""
    proxy = settings.proxy.get_secret_value() if settings.proxy else None
    # Loading the certificates takes 40 ms, so all clients share them.
    context: ssl.SSLContext = httpx.create_ssl_context()
    return (
        BotRequest(context, pace.answer, proxy),
        BotRequest(context, _POLL_GRACE_SECONDS, proxy),
        httpx.AsyncClient(verify=context, proxy=proxy, timeout=pace.answer),
    )


def _size(events: Sequence[Event]) -> int:
    marks = sum(isinstance(one, Mark) and not one.closes for one in flowing(events))
    return max(seen(events), marks * _UNITS_OF_A_MARK)


def _tail(text: str) -> str:
    """The end of a text that grew longer than a message."""
    if utf16_units(text) <= _PREVIEW_LIMIT:
        return text
    return "…" + text.encode("utf-16-le", "replace")[-2 * _PREVIEW_LIMIT :].decode("utf-16-le", "ignore")

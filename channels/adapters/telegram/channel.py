"""The channel: sends, edits and previews through the Bot API, and receives through `Receiver`."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
from telegram import Bot, LinkPreviewOptions, ReplyParameters
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, ChatMigrated, TelegramError

from channels.adapters.telegram.errors import FAILURES, Edit, delivery_error, refused_edit, unparsable
from channels.adapters.telegram.pacing import PreviewPace, is_group
from channels.adapters.telegram.receiver import Pace, Receiver
from channels.adapters.telegram.request import BotRequest
from channels.adapters.telegram.settings import TelegramSettings
from channels.base import Host, TextOnly
from channels.errors import NotSent, Unknown
from channels.markup import parse, plain, telegram_html, utf16_units, visible
from channels.split import split
from channels.types import Address, ChannelStatus, Outbound, Receipt, Report, Take

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 4096
"""UTF-16 units after the formatting is read: https://core.telegram.org/bots/api#sendmessage"""
_MARK_RESERVE = 64
"""Units that a mark before a repeated message may take."""

_PREVIEW_LIMIT = 4000
_PREVIEW_SECONDS = 1.5
_POLL_GRACE_SECONDS = 10.0
_ACTION_SECONDS = 5.0

T = TypeVar("T")
Format = tuple[str, str | None]
"""A text and its parse mode."""


class TelegramChannel(TextOnly):
    kind = "telegram"

    def __init__(self, settings: TelegramSettings, host: Host, *, pace: Pace | None = None) -> None:
        self.preview_interval = _PREVIEW_SECONDS if settings.streaming else 0.0
        self._commands = host.commands
        self._pace = pace or Pace()
        # Loading the certificates takes 40 ms, so both clients share them.
        context = httpx.create_ssl_context()
        self._requests = BotRequest(context, self._pace.answer), BotRequest(context, _POLL_GRACE_SECONDS)
        sending, polling = self._requests
        self._bot = Bot(
            settings.token.get_secret_value(), settings.base_url, settings.files_url, sending, polling
        )
        self._receiver = Receiver(
            self._bot, polling, self._pace, lambda message: message.private or settings.groups
        )
        self._no_link_preview = LinkPreviewOptions(is_disabled=True)
        self._previews = PreviewPace()
        self._sent_at: float | None = None

    @property
    def status(self) -> ChannelStatus:
        link = self._receiver.link
        return ChannelStatus(link.up, link.detail, self._receiver.received_at, self._sent_at)

    async def run(self, take: Take, _report: Report) -> None:
        await self._receiver.run(take, self._commands)

    async def aclose(self) -> None:
        for request in self._requests:
            await request.shutdown()

    def split(self, text: str) -> list[str]:
        return split(text, MESSAGE_LIMIT - _MARK_RESERVE)

    async def send(self, out: Outbound) -> Receipt:
        ref = out.edits if out.edits and await self._replace(out) else await self._write(out)
        self._sent_at = time.time()
        return Receipt(ref)

    async def _replace(self, out: Outbound) -> bool:
        try:
            return await _formatted(out.text, lambda body: self._edit(out.address, out.edits, body))
        except FAILURES as error:
            failure = delivery_error(error)
            if isinstance(failure, Unknown):  # but a repeated edit shows nothing twice
                raise NotSent(failure.detail) from error
            raise failure from error

    async def _write(self, out: Outbound) -> str:
        try:
            return await _formatted(out.text, lambda body: self._post(out, body))
        except FAILURES as error:
            raise delivery_error(error) from error

    async def preview(self, address: Address, text: str, ref: str) -> str:
        now = self._pace.monotonic()
        shown = _tail(visible(parse(text[-2 * _PREVIEW_LIMIT :])))
        if not shown.strip() or not self._previews.allows(address, now, first=not ref):
            return ref
        try:
            if ref and await self._edit(address, ref, (shown, None)):
                return ref
            return await self._post(Outbound(0, address, text), (shown, None))
        except FAILURES as error:
            failure = delivery_error(error)
            if isinstance(failure, NotSent) and failure.retry_after:
                self._previews.quiet(address, now, failure.retry_after)
            raise failure from error

    async def working(self, address: Address) -> None:
        try:
            await self._bot.send_chat_action(
                address.chat, ChatAction.TYPING, _thread(address), read_timeout=_ACTION_SECONDS
            )
        except FAILURES as error:
            log.debug("Telegram: the sign of typing was not shown: %s", type(error).__name__)

    async def _post(self, out: Outbound, body: Format, chat: str | int = "") -> str:
        """A new message; returns its reference."""
        text, mode = body
        replied = int(out.reply_to) if out.reply_to and is_group(out.address) else None
        try:
            message = await self._bot.send_message(
                chat or out.address.chat,
                text,
                parse_mode=mode,
                message_thread_id=_thread(out.address),
                link_preview_options=self._no_link_preview,
                reply_parameters=ReplyParameters(replied, allow_sending_without_reply=True)
                if replied
                else None,
            )
        except ChatMigrated as error:
            if chat:
                raise
            return await self._post(out, body, error.new_chat_id)
        return str(message.message_id)

    async def _edit(self, address: Address, ref: str, body: Format) -> bool:
        """Replace the text of our message `ref`; false if it is no longer there to be edited."""
        text, mode = body
        try:
            await self._bot.edit_message_text(
                text, address.chat, int(ref), parse_mode=mode, link_preview_options=self._no_link_preview
            )
        except ChatMigrated:
            return False
        except BadRequest as error:
            refusal = refused_edit(error)
            if refusal is None:
                raise
            return refusal is Edit.SAME
        return True


async def _formatted(markdown: str, call: Callable[[Format], Awaitable[T]]) -> T:
    """`call` with the text as HTML and, where Telegram can't read that, as plain text."""
    events = parse(markdown)
    if not visible(events).strip():
        return await call((markdown, None))
    try:
        return await call((telegram_html(events), ParseMode.HTML))
    except TelegramError as error:
        if not unparsable(error):
            raise
    text = plain(events)
    return await call((text if utf16_units(text) <= MESSAGE_LIMIT else markdown, None))


def _tail(text: str) -> str:
    """The end of a text that grew longer than a message."""
    if utf16_units(text) <= _PREVIEW_LIMIT:
        return text
    return "…" + text.encode("utf-16-le", "replace")[-2 * _PREVIEW_LIMIT :].decode("utf-16-le", "ignore")


def _thread(address: Address) -> int | None:
    return int(address.thread) if address.thread else None

"""Writes and edits messages: formatting that Telegram can't read goes out plain, moved groups are followed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from telegram import Bot, InlineKeyboardMarkup, LinkPreviewOptions, Message, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, TelegramError

from channels.adapters.telegram.errors import unchanged, unparsable
from channels.adapters.telegram.groups import MovedGroups
from channels.adapters.telegram.pacing import is_group
from channels.markup import parse, plain, telegram_html, utf16_units, visible
from channels.types import Address, Outbound

MESSAGE_LIMIT = 4096
"""UTF-16 units after the formatting is read: https://core.telegram.org/bots/api#sendmessage"""
CAPTION_LIMIT = 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Body:
    """A text and its parse mode, and the buttons below it."""

    text: str
    mode: str | None = None
    keyboard: InlineKeyboardMarkup | None = None


class Writer:
    def __init__(self, bot: Bot, moved: MovedGroups) -> None:
        self.bot = bot
        self.moved = moved
        self._no_link_preview = LinkPreviewOptions(is_disabled=True)

    async def post(self, out: Outbound, body: Body) -> str:
        """A new message; returns its reference."""

        async def call(chat: str) -> Message:
            return await self.bot.send_message(
                chat,
                body.text,
                parse_mode=body.mode,
                reply_markup=body.keyboard,
                link_preview_options=self._no_link_preview,
                **place(out),
            )

        return await self.deliver(out.address, call)

    async def deliver(self, address: Address, call: Callable[[str], Awaitable[Message]]) -> str:
        """`call` with the number by which a chat is reached now; returns the new message's reference."""
        try:
            message = await call(await self.moved.chat(address))
        except ChatMigrated as error:
            await self.moved.moved(address.chat, str(error.new_chat_id))
            message = await call(str(error.new_chat_id))
        return str(message.message_id)

    async def edit(self, address: Address, ref: str, body: Body) -> bool:
        """Replace the text of our message `ref`; false if Telegram won't, as it is gone or for whatever reason."""
        try:
            await self.bot.edit_message_text(
                body.text,
                await self.moved.chat(address),
                int(ref),
                parse_mode=body.mode,
                reply_markup=body.keyboard,
                link_preview_options=self._no_link_preview,
            )
        except ChatMigrated:
            return False
        except BadRequest as error:
            if unparsable(error):
                raise
            return unchanged(error)
        return True


def place(out: Outbound) -> dict[str, Any]:
    """The topic that a message goes to, and in groups the message that it answers."""
    replied = int(out.reply_to) if out.reply_to and is_group(out.address) else None
    reply = ReplyParameters(replied, allow_sending_without_reply=True) if replied else None
    return {"message_thread_id": thread(out.address), "reply_parameters": reply}


def thread(address: Address) -> int | None:
    return int(address.thread) if address.thread else None


async def formatted(markdown: str, limit: int, call: Callable[[str, str | None], Awaitable[T]]) -> T:
    """`call` with the text as HTML and, where Telegram can't read that, as plain text."""
    events = parse(markdown)
    shown = visible(events)
    if not shown.strip():
        return await call(markdown, None)
    try:
        return await call(telegram_html(events), ParseMode.HTML)
    except TelegramError as error:
        if not unparsable(error):
            raise
    texts = (plain(events), markdown, shown)
    return await call(next((text for text in texts if utf16_units(text) <= limit), shown), None)

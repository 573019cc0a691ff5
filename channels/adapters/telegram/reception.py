"""What is done with updates, however they come: read, have them stored, and only then answer presses of buttons."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from telegram import Bot, CallbackQuery, Update, User

from channels.adapters.telegram.buttons import Buttons, is_done
from channels.adapters.telegram.errors import FAILURES
from channels.adapters.telegram.groups import MovedGroups
from channels.adapters.telegram.inbound import to_inbound
from channels.adapters.telegram.recent import Read, Recent
from channels.types import Inbound, Take

log = logging.getLogger(__name__)

KINDS = ["message", "edited_message", "callback_query", "my_chat_member"]
"""The updates that are asked for: https://core.telegram.org/bots/api#update"""

_PRESS_SECONDS = 10.0


class Reception:
    """`groups`: whether those are wanted at all, and "all" for everything that is said there."""

    def __init__(self, bot: Bot, groups: bool | str, moved: MovedGroups, buttons: Buttons) -> None:
        self.received_at: float | None = None
        self._bot = bot
        self._groups = groups
        self._moved = moved
        self._buttons = buttons
        self._recent = Recent()

    async def take(self, updates: Sequence[Update], me: User, take: Take) -> None:
        """Have the messages stored. Raises what `take` and the notes raise: then nothing was taken."""
        batch: list[Read] = []
        for update in updates:
            await self._moved.learn(update)
            one = await self._read(update, me)
            if one is not None and (one.private or self._groups):
                batch.append((update, await self._moved.at_home(one)))
        recent = self._recent.copy()
        messages = recent.sift(batch)
        if messages:
            await take(messages)
            self.received_at = time.time()
        self._recent = recent

    async def finish(self, update: Update) -> None:
        """Show that a press was taken. What Telegram has forgotten meanwhile is nobody's loss."""
        query = update.callback_query
        if query is None:
            return
        try:
            await self._bot.answer_callback_query(query.id, read_timeout=_PRESS_SECONDS)
        except FAILURES as error:
            log.debug("Telegram: a press of a button was not answered: %s", error)
        await self._take_away(query)

    async def _read(self, update: Update, me: User) -> Inbound | None:
        if update.callback_query is not None:
            return await self._buttons.said(update.callback_query, datetime.now(UTC))
        return to_inbound(update, me, everything=self._groups == "all")

    async def _take_away(self, query: CallbackQuery) -> None:
        message = query.message
        if message is None or not is_done(query):
            return
        try:
            await self._bot.edit_message_reply_markup(
                message.chat.id, message.message_id, read_timeout=_PRESS_SECONDS
            )
        except FAILURES as error:
            log.debug("Telegram: used buttons were not taken away: %s", error)

"""Choices as buttons under a message, and what pressing one says.

https://core.telegram.org/bots/api#inlinekeyboardbutton
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from telegram import CallbackQuery, Chat, InlineKeyboardButton, InlineKeyboardMarkup, Message

from channels.adapters.telegram.inbound import thread_of
from channels.base import Store
from channels.types import Address, Choice, Inbound, Sender

_MOST_BYTES = 64
"""Of what a button carries."""
_ROW_CHARACTERS = 30
"""What fits side by side on a narrow phone; Telegram makes the buttons of a row equally wide."""
_KEY = "buttons"
_KEPT = 300
_LONG = "says:"
"""Begins a stand-in for what is too long for a button to carry."""


class Buttons:
    """Makes keyboards and reads presses; what is too long for a button waits in `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keyboard(self, choices: Sequence[Choice]) -> InlineKeyboardMarkup | None:
        """Raises what the store raises."""
        shown = [choice for choice in choices if choice.label.strip() and choice.says.strip()]
        await self._keep({token(one.says): one.says for one in shown if token(one.says) != one.says})
        rows = [
            [InlineKeyboardButton(one.label, callback_data=token(one.says)) for one in row]
            for row in rows_of(shown)
        ]
        return InlineKeyboardMarkup(rows) if rows else None

    async def said(self, query: CallbackQuery, now: datetime) -> Inbound | None:
        """A press as a message of its own; None where nobody knows any more what the button says."""
        message, data = query.message, query.data or ""
        if message is None or query.from_user.is_bot:
            return None
        if data.startswith(_LONG):
            data = str((await self._store.load(_KEY) or {}).get(data, ""))
        if not data:
            return None
        sender = query.from_user
        thread = thread_of(message) if isinstance(message, Message) else ""
        return Inbound(
            key=f"press:{query.id}",
            address=Address("telegram", str(message.chat.id), thread),
            sender=Sender(str(sender.id), sender.full_name),
            text=data,
            at=now,
            private=message.chat.type == Chat.PRIVATE,
            ref=str(message.message_id),
        )

    async def _keep(self, long: dict[str, str]) -> None:
        if not long:
            return
        known = await self._store.load(_KEY) or {}
        if long.items() <= known.items():
            return
        kept = {**{key: value for key, value in known.items() if key not in long}, **long}
        await self._store.save(_KEY, dict(list(kept.items())[-_KEPT:]))


def token(says: str) -> str:
    """What the button carries: the words themselves where they fit."""
    if len(says.encode("utf-8", "replace")) <= _MOST_BYTES and not says.startswith(_LONG):
        return says
    return _LONG + hashlib.sha256(says.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def rows_of(choices: Sequence[Choice]) -> Iterator[list[Choice]]:
    """As many side by side as can be read."""
    row: list[Choice] = []
    for choice in choices:
        widest = max(len(one.label) for one in [*row, choice])
        if row and widest * (len(row) + 1) > _ROW_CHARACTERS:
            yield row
            row = []
        row.append(choice)
    if row:
        yield row


def is_done(query: CallbackQuery) -> bool:
    """Whether a press uses the buttons up. In a group anybody can press them: only who was asked takes them away."""
    message = query.message
    if message is None or message.chat.type == Chat.PRIVATE:
        return message is not None
    asked = message.reply_to_message if isinstance(message, Message) else None
    return asked is not None and asked.from_user is not None and asked.from_user.id == query.from_user.id

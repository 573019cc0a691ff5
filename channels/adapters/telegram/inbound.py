"""An update becomes an `Inbound`. Pure.

Fields and their meaning: https://core.telegram.org/bots/api#message
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from telegram import Chat, Message, MessageEntity, Update, User

from channels.markup import utf16_units
from channels.types import Address, Inbound, Sender

_NEARLY_FULL = 4000
"""Telegram's apps cut a long text at 4096 UTF-16 units or at the white space before."""

_GROUPS = (Chat.GROUP, Chat.SUPERGROUP)

# The first that a message has names it: an animation is a document too, a venue a location.
_ATTACHMENTS = {
    "photo": "a photo",
    "voice": "a voice message",
    "audio": "an audio file",
    "video": "a video",
    "video_note": "a video message",
    "animation": "an animation",
    "sticker": "a sticker",
    "document": "a file",
    "venue": "a place",
    "location": "a location",
    "contact": "a contact",
    "poll": "a poll",
    "dice": "a die",
    "story": "a story",
    "paid_media": "paid media",
    "checklist": "a checklist",
    "game": "a game",
}


def to_inbound(update: Update, me: User) -> Inbound | None:
    """The message of an update as the bot `me` reads it; None for what nobody wrote to be read."""
    message = update.message
    if message is None or message.from_user is None or message.from_user.is_bot:
        return None
    group = message.chat.type in _GROUPS
    if not group and message.chat.type != Chat.PRIVATE:
        return None
    if (
        group and message.sender_chat is not None
    ):  # written as a channel or an anonymous administrator: by nobody
        return None
    text = _text(message)
    if not text:
        return None
    text, called = _without_calls(text, message, me)
    sender = message.from_user
    return Inbound(
        key=f"{message.chat.id}:{message.message_id}",
        address=Address("telegram", str(message.chat.id), _thread(message)),
        sender=Sender(str(sender.id), sender.full_name),
        text=text,
        at=message.date,
        private=not group,
        addressed=not group or (_is_reply_to(message, me) if called is None else called),
        more_follows=utf16_units(text) >= _NEARLY_FULL or message.media_group_id is not None,
        ref=str(message.message_id),
    )


def _text(message: Message) -> str:
    """What was written; an attachment is named, so that its sender hears about it instead of nothing."""
    written = message.text or message.caption or ""
    kind = next((name for field, name in _ATTACHMENTS.items() if getattr(message, field, None)), "")
    if not kind:
        return written
    note = f"[with {kind}, which can't be read yet]" if written else f"[{kind}, which can't be read yet]"
    return f"{written}\n\n{note}" if written else note


def _thread(message: Message) -> str:
    """A forum topic's id; without `is_topic_message` the id only groups replies."""
    return str(message.message_thread_id) if message.is_topic_message and message.message_thread_id else ""


def _is_reply_to(message: Message, me: User) -> bool:
    """In a topic everything "replies" to the service message that opened it, which a bot may have done."""
    replied = message.reply_to_message
    if replied is None or replied.from_user is None or replied.forum_topic_created is not None:
        return False
    return replied.from_user.id == me.id


def _without_calls(text: str, message: Message, me: User) -> tuple[str, bool | None]:
    """The text without the bot's name, and whether it is called by it; None where nobody is."""
    entities = message.entities or message.caption_entities
    raw = text.encode("utf-16-le", "surrogatepass")

    def of(entity: MessageEntity) -> str:
        return raw[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", "replace")

    name = f"@{me.username}".lower()
    command = next((e for e in entities if e.type == MessageEntity.BOT_COMMAND and e.offset == 0), None)
    if command is not None:
        word, at, whom = of(command).partition("@")
        if not at or f"@{whom}".lower() == name:
            return word + raw[2 * command.length :].decode("utf-16-le", "replace"), True
        return text, False
    mine = [entity for entity in entities if _names(entity, of(entity), me, name)]
    return (_cut_out(raw, mine) or text, True) if mine else (text, None)


def _names(entity: MessageEntity, text: str, me: User, name: str) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return entity.user is not None and entity.user.id == me.id
    return entity.type == MessageEntity.MENTION and text.lower() == name


def _cut_out(raw: bytes, entities: Sequence[MessageEntity]) -> str:
    """The text, given in UTF-16, without these parts and the gaps that they leave."""
    text, end = "", 0
    for entity in entities:
        text = _joined(text, raw[end : 2 * entity.offset].decode("utf-16-le", "replace"))
        end = 2 * (entity.offset + entity.length)
    return _joined(text, raw[end:].decode("utf-16-le", "replace")).strip()


def _joined(before: str, after: str) -> str:
    if not before.strip():
        return re.sub(r"^[\s,:]+", "", after)
    gap = "" if re.match(r"[.,:;!?\n]|$", after.lstrip(" ")) or before.endswith("\n") else " "
    return before.rstrip(" ") + gap + after.lstrip(" ")

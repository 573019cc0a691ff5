"""Who is called in a message of a group: by name, by a command, by a reply. Pure.

Entities: https://core.telegram.org/bots/api#messageentity
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from telegram import Message, MessageEntity, User


def answered(message: Message) -> Message | None:
    """The message that this one replies to. In a topic everything "replies" to the message that opened it."""
    replied = message.reply_to_message
    return None if replied is None or replied.forum_topic_created is not None else replied


def is_reply_to(message: Message, me: User) -> bool:
    replied = answered(message)
    return replied is not None and replied.from_user is not None and replied.from_user.id == me.id


def without_calls(text: str, message: Message, me: User) -> tuple[str, bool | None]:
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

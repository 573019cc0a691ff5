"""An update becomes an `Inbound`. Pure.

Fields and their meaning: https://core.telegram.org/bots/api#update
"""

from __future__ import annotations

import zlib

from telegram import (
    Chat,
    ChatMember,
    ChatMemberRestricted,
    ChatMemberUpdated,
    Message,
    Update,
    User,
)

from channels.adapters.telegram.calls import is_reply_to, without_calls
from channels.adapters.telegram.content import files, links, told
from channels.adapters.telegram.quotes import foreign, quoted_files, quotes
from channels.markup import utf16_units
from channels.types import Address, Inbound, Sender

_NEARLY_FULL = 4000
"""Telegram's apps cut a long text at 4096 UTF-16 units or at the white space before."""

_GROUPS = (Chat.GROUP, Chat.SUPERGROUP)


def to_inbound(update: Update, me: User, *, everything: bool = False) -> Inbound | None:
    """The message of an update as the bot `me` reads it; None for what nobody wrote to be read.

    With `everything`, all that is said in a group is meant for the bot.
    """
    if update.my_chat_member is not None:
        return _invitation(update.my_chat_member)
    message = update.message or update.edited_message
    if message is None or not _written_by_a_person(message):
        return None
    return _message(message, me, everything=everything, edited=update.message is None)


def thread_of(message: Message) -> str:
    """A forum topic's id; without `is_topic_message` the id only groups replies."""
    return str(message.message_thread_id) if message.is_topic_message and message.message_thread_id else ""


def _written_by_a_person(message: Message) -> bool:
    if message.from_user is None or message.from_user.is_bot:
        return False
    if message.chat.type in _GROUPS:  # written as a channel or an anonymous administrator: by nobody
        return message.sender_chat is None
    return message.chat.type == Chat.PRIVATE


def _message(message: Message, me: User, *, everything: bool, edited: bool) -> Inbound | None:
    sender = message.from_user
    assert sender is not None  # noqa: S101 -- see `_written_by_a_person`
    raw = message.text or message.caption or ""
    group = message.chat.type in _GROUPS
    strange = foreign(message)
    written, called = (raw, None) if strange else without_calls(raw, message, me)
    written = "\n\n".join(filter(None, (written, links(message), told(message))))
    attachments = files(message, spoken=not strange)
    if not (attachments or (raw if edited else written)):
        return None  # a service message, a place that moves, or something new
    reference = str(message.message_id)
    return Inbound(
        key=_key(message, edited=edited),
        address=Address("telegram", str(message.chat.id), thread_of(message)),
        sender=Sender(str(sender.id), sender.full_name),
        text="" if strange else written,
        at=message.edit_date if edited and message.edit_date else message.date,
        private=not group,
        addressed=not group or (everything or is_reply_to(message, me) if called is None else called),
        more_follows=not edited and _more_follows(message, raw),
        ref=reference,
        attachments=attachments + quoted_files(message, me),
        quotes=quotes(message, written, me),
        edits=reference if edited else "",
    )


def _more_follows(message: Message, written: str) -> bool:
    return utf16_units(written) >= _NEARLY_FULL or message.media_group_id is not None


def _key(message: Message, *, edited: bool) -> str:
    """Unique, and the same when it is delivered again. Two edits may fall into one second."""
    key = f"{message.chat.id}:{message.message_id}"
    if not edited or message.edit_date is None:
        return key
    words = (message.text or message.caption or "").encode("utf-8", "surrogatepass")
    return f"{key}:{message.edit_date.timestamp():.0f}:{zlib.crc32(words):08x}"


def _invitation(change: ChatMemberUpdated) -> Inbound | None:
    """Somebody brought the bot into a group. Being thrown out or made an administrator says nothing."""
    by = change.from_user
    joined = _is_member(change.new_chat_member) and not _is_member(change.old_chat_member)
    if change.chat.type not in _GROUPS or by.is_bot or not joined:
        return None
    return Inbound(
        key=f"{change.chat.id}:invited:{by.id}:{change.date.timestamp():.0f}",
        address=Address("telegram", str(change.chat.id)),
        sender=Sender(str(by.id), by.full_name),
        text="",
        at=change.date,
        private=False,
        invites=True,
    )


def _is_member(member: ChatMember) -> bool:
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return member.status in {ChatMember.OWNER, ChatMember.ADMINISTRATOR, ChatMember.MEMBER}

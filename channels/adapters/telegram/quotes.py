"""What a message quotes: the words it answers, and words of others that it passes on. Pure.

Replies: https://core.telegram.org/bots/api#externalreplyinfo, forwards: https://core.telegram.org/bots/api#messageorigin
"""

from __future__ import annotations

from collections.abc import Iterator

from telegram import (
    Message,
    MessageOrigin,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
    User,
)

from channels.adapters.telegram.calls import answered
from channels.adapters.telegram.content import described, files, links, passed_on, told
from channels.types import Attachment, Quote, Whose

_LONGEST_NAME = 60


def quotes(message: Message, written: str, me: User) -> tuple[Quote, ...]:
    """`written` are the words in the message itself; they are quoted if they are not its sender's."""
    return tuple(_quotes(message, written, me))


def foreign(message: Message) -> bool:
    """Whether the words in a message are not its sender's own of this moment: forwarded, or made by another bot."""
    return message.forward_origin is not None or message.via_bot is not None


def quoted_files(message: Message, me: User) -> tuple[Attachment, ...]:
    """The file of the message that this one answers: what "what is this?" asks about. What the bot sent, it knows."""
    if message.external_reply is not None:
        return files(message.external_reply)
    replied = answered(message)
    return () if replied is None or _is(replied.from_user, me) else files(replied)


def _quotes(message: Message, written: str, me: User) -> Iterator[Quote]:
    yield from _answered(message, me)
    yield from _answered_elsewhere(message)
    if message.reply_to_story is not None:
        yield Quote("[a story, which bots can't open]", "what this answers")
    if written and foreign(message):
        yield Quote(written, _origin(message), _whose_forward(message, me))
    yield from passed_on(message)


def _answered(message: Message, me: User) -> Iterator[Quote]:
    replied = answered(message)
    if replied is None:
        return
    part = message.quote.text if message.quote is not None else ""
    whole = "\n\n".join(filter(None, (replied.text or replied.caption, links(replied))))
    words = part or whole or told(replied) or described(replied)
    if not words:
        return
    whose = _whose(replied, message.from_user, me)
    owner = {
        Whose.BOT: "the bot's own message",
        Whose.SENDER: "their own earlier message",
        Whose.OTHER: f"a message of {_author(replied)}",
    }[whose]
    yield Quote(
        words, f"{'part of ' if part else ''}{owner}, which this answers", whose, str(replied.message_id)
    )


def _answered_elsewhere(message: Message) -> Iterator[Quote]:
    elsewhere = message.external_reply
    if elsewhere is None:
        return
    words = message.quote.text if message.quote is not None else told(elsewhere) or described(elsewhere)
    if words:
        yield Quote(words, f"a message of {named(elsewhere.origin)} in another chat, which this answers")
    yield from passed_on(elsewhere)


def _whose(replied: Message, sender: User | None, me: User) -> Whose:
    if foreign(replied) or replied.sender_chat is not None:
        return Whose.OTHER
    if _is(replied.from_user, me):
        return Whose.BOT
    return Whose.SENDER if _is(replied.from_user, sender) else Whose.OTHER


def _whose_forward(message: Message, me: User) -> Whose:
    origin = message.forward_origin
    if message.via_bot is not None or not isinstance(origin, MessageOriginUser):
        return Whose.OTHER
    if _is(origin.sender_user, me):
        return Whose.BOT
    return Whose.SENDER if _is(origin.sender_user, message.from_user) else Whose.OTHER


def _origin(message: Message) -> str:
    if message.forward_origin is not None:
        return f"forwarded from {named(message.forward_origin)}"
    return f"made by the bot {_tidy(message.via_bot.full_name)}" if message.via_bot is not None else ""


def _author(message: Message) -> str:
    if message.forward_origin is not None:
        return named(message.forward_origin)
    if message.sender_chat is not None:
        return _tidy(message.sender_chat.effective_name)
    return _tidy(message.from_user.full_name if message.from_user is not None else None)


def named(origin: MessageOrigin) -> str:
    """Who wrote what was forwarded; fit for display only, since names are chosen freely."""
    match origin:
        case MessageOriginUser():
            return _tidy(origin.sender_user.full_name)
        case MessageOriginHiddenUser():
            return _tidy(origin.sender_user_name)
        case MessageOriginChat():
            return _tidy(origin.sender_chat.effective_name)
        case MessageOriginChannel():
            return _tidy(origin.chat.effective_name)
        case _:
            return "somebody"


def _tidy(name: str | None) -> str:
    return " ".join((name or "").split())[:_LONGEST_NAME] or "somebody"


def _is(one: User | None, other: User | None) -> bool:
    return one is not None and other is not None and one.id == other.id

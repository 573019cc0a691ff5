"""Telegram's errors in the words of the channels: the one place that reads them."""

from __future__ import annotations

from enum import Enum

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)

from channels.adapters.telegram.request import FloodControl, NotTelegram
from channels.errors import DeliveryError, NotSent, Refused, Unknown

FAILURES = (TelegramError, KeyError, TypeError, ValueError, AttributeError)
"""What a call of the library can raise; the last four when an answer has an unexpected shape."""

UNAUTHORIZED = (
    "Telegram refuses the token: check `token` in [channels.telegram]; @BotFather shows it or makes a new one"
)
WEBHOOK_SET = (
    "a webhook is set for this bot, so that Telegram delivers to another program; stop using the bot there and remove "
    "it with curl https://api.telegram.org/bot<token>/deleteWebhook, or make a second bot with @BotFather"
)
OTHER_POLLER = (
    "another program receives with this bot's token, so that each gets only some of the messages; stop it, or make a "
    "second bot with @BotFather and use its token there"
)

# Certainly not sent: the request never left, or not as a whole.
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


class Trouble(Enum):
    """Why nothing can be received."""

    LOST = "network"
    TOKEN = "token"  # noqa: S105 -- a kind of trouble
    WEBHOOK = "webhook"
    POLLER = "other poller"
    STORAGE = "storage"
    DELIVERY = "delivery to the webhook"
    LISTENER = "listening for the webhook"


NEEDS_OWNER = frozenset({Trouble.TOKEN, Trouble.WEBHOOK, Trouble.POLLER, Trouble.DELIVERY, Trouble.LISTENER})
"""What doesn't pass by itself."""


# The first row that fits says how a failed send counts: https://core.telegram.org/bots/api#making-requests
_OUTCOMES: tuple[tuple[type[Exception], type[DeliveryError], str], ...] = (
    (InvalidToken, NotSent, UNAUTHORIZED),
    (NotTelegram, NotSent, "{said}"),
    (Conflict, NotSent, "{said}"),
    (ChatMigrated, Refused, "the group has become a supergroup, which has a new number"),
    (Forbidden, Refused, "Telegram says: {said}"),
    (BadRequest, Refused, "Telegram says: {said}"),
    (TimedOut, Unknown, "Telegram did not answer in time"),
    (NetworkError, Unknown, "the connection to Telegram broke: {cause}"),
    (TelegramError, Unknown, "{said}"),
    (Exception, Unknown, "Telegram's answer could not be understood ({type})"),
)


def delivery_error(error: Exception) -> DeliveryError:
    """What became of a message whose sending failed like this."""
    cause = " ".join(str(error.__cause__ or error).split())[:120] or type(error.__cause__).__name__
    if isinstance(error, FloodControl):
        return NotSent(str(error), retry_after=error.seconds)
    if isinstance(error, NetworkError) and isinstance(error.__cause__, _BEFORE_SENDING):
        return NotSent(f"Telegram can't be reached: {cause}")
    outcome, words = next((outcome, words) for kind, outcome, words in _OUTCOMES if isinstance(error, kind))
    return outcome(words.format(said=error, cause=cause, type=type(error).__name__))


def trouble(error: Exception) -> tuple[Trouble, str]:
    """Why receiving failed: its kind, and one line that says what to do."""
    match error:
        case InvalidToken():
            return Trouble.TOKEN, UNAUTHORIZED
        case Conflict() if "webhook" in str(error):  # the same status and code for both
            return Trouble.WEBHOOK, WEBHOOK_SET
        case Conflict():
            return Trouble.POLLER, OTHER_POLLER
        case _:
            return Trouble.LOST, delivery_error(error).detail


def unparsable(error: TelegramError) -> bool:
    """Whether the formatting was refused. Telegram gives a 400 no code of its own, only words.

    The addresses of all links together may be too long: https://github.com/tdlib/telegram-bot-api/issues/165
    """
    words = str(error).lower()
    return isinstance(error, BadRequest) and ("can't parse entities" in words or "entities_too_long" in words)


def unchanged(error: TelegramError) -> bool:
    """Whether an edit was refused since the message says just that already."""
    return isinstance(error, BadRequest) and "message is not modified" in str(error).lower()

"""What the doctor looks at. Only methods that change nothing are called: a getUpdates of ours would end the one by
which a running bot receives, so whether another program receives with the token is told by `nanobot status` alone.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import httpx
from telegram import Bot, User, WebhookInfo
from telegram.error import InvalidToken

from channels.adapters.telegram.errors import FAILURES, UNAUTHORIZED, WEBHOOK_SET, delivery_error
from channels.adapters.telegram.receiver import WEBHOOK_NOTE
from channels.adapters.telegram.request import BotRequest
from channels.adapters.telegram.settings import TelegramSettings
from channels.base import Examined, Host

_SUBJECT = "telegram"
_SECONDS = 10.0
_LATELY = 3600.0
"""Seconds for which a failed delivery is worth telling."""


async def examined(settings: TelegramSettings, host: Host) -> AsyncGenerator[Examined, None]:
    """Whether the token is taken, and whether what is set at Telegram fits the settings."""
    async with _bot(settings) as bot:
        try:
            me = await bot.get_me()
            hook = await bot.get_webhook_info()
        except InvalidToken:
            yield Examined("error", _SUBJECT, "the token is refused", UNAUTHORIZED)
            return
        except FAILURES as error:
            fix = "look at the network, and at base_url and proxy in [channels.telegram]"
            yield Examined("error", _SUBJECT, delivery_error(error).detail, fix)
            return
        ours = (await host.store.load(WEBHOOK_NOTE) or {}).get("url", "")
    yield Examined("ok", _SUBJECT, f"the token is that of @{me.username}")
    if found := _webhook(settings, hook, str(ours)):
        yield found
    if found := _privacy(settings, me):
        yield found


def _webhook(settings: TelegramSettings, hook: WebhookInfo, ours: str) -> Examined | None:
    if not settings.webhook_url:
        if not hook.url or hook.url == ours:  # our own is taken back by the next start
            return None
        return Examined("error", _SUBJECT, "a webhook of another program is set for this bot", WEBHOOK_SET)
    if hook.url != settings.webhook_url:
        text = "the webhook is not set at Telegram" if not hook.url else "another webhook is set at Telegram"
        return Examined(
            "warning", _SUBJECT, text, "start the bot, which sets it; nobody else may use its token"
        )
    if failure := delivery_failure(hook, time.time()):
        return Examined("error", _SUBJECT, failure, DELIVERY_FIX)
    return Examined("ok", _SUBJECT, f"Telegram delivers to {settings.webhook_url}")


DELIVERY_FIX = (
    "see that webhook_url is reached from outside by a trusted certificate and leads to webhook_listen"
)


def delivery_failure(hook: WebhookInfo, now: float) -> str:
    """Why Telegram could not deliver lately, if messages wait because of it."""
    at = hook.last_error_date
    if not isinstance(at, datetime) or now - at.timestamp() > _LATELY or not hook.pending_update_count:
        return ""
    words = " ".join((hook.last_error_message or "no reason given").split())
    return f"Telegram can't deliver to the webhook: {words}; waiting: {hook.pending_update_count}"


def _privacy(settings: TelegramSettings, me: User) -> Examined | None:
    if settings.groups != "all" or me.can_read_all_group_messages:
        return None
    text = 'groups = "all", but in privacy mode the bot is shown only what is said to it'
    fix = "@BotFather: /setprivacy, Disable; then remove the bot from its groups and add it again"
    return Examined("warning", _SUBJECT, text, fix)


@asynccontextmanager
async def _bot(settings: TelegramSettings) -> AsyncIterator[Bot]:
    proxy = settings.proxy.get_secret_value() if settings.proxy else None
    request = BotRequest(httpx.create_ssl_context(), _SECONDS, proxy)
    try:
        yield Bot(settings.token.get_secret_value(), settings.base_url, request=request)
    finally:
        await request.shutdown()

"""Whether a Telegram bot's token will do: one `getMe`, which changes nothing."""

from __future__ import annotations

import json
from typing import Any

import httpx

from providers.keycheck import Verdict

TELEGRAM = "https://api.telegram.org/bot"
_WITHIN = 10.0


async def check_token(
    token: str, base_url: str = TELEGRAM, transport: httpx.AsyncBaseTransport | None = None
) -> Verdict:
    """Ask Telegram, or a Bot API server at `base_url`, whose token it is. The bot's name is in the verdict's text.

    See https://core.telegram.org/bots/api#getme
    """
    number, colon, secret = token.partition(":")
    if not (
        number.isdecimal()
        and colon
        and secret
        and token.isascii()
        and token.isprintable()
        and " " not in token
    ):
        return Verdict("refused", "That is no bot token; @BotFather gives ones such as 123456789:AAE...")
    try:
        async with httpx.AsyncClient(transport=transport, timeout=_WITHIN) as http:
            response = await http.get(f"{base_url}{token}/getMe")
    except httpx.HTTPError as error:
        return Verdict("unreachable", f"Telegram can't be reached now ({type(error).__name__})")
    if response.status_code in {401, 404}:  # 404 is its answer to a token that is none
        return Verdict("refused", f"Telegram refuses this token (status {response.status_code})")
    name = _username(response)
    if not name:
        return Verdict("unsure", f"Telegram answers with status {response.status_code} now")
    return Verdict("ok", f"the token is that of @{name}")


def _username(response: httpx.Response) -> str:
    try:
        body: Any = json.loads(response.content)
        return str(body["result"]["username"])
    except (ValueError, KeyError, TypeError):
        return ""

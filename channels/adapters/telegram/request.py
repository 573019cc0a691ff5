"""The library's HTTP client, taught what a daemon needs to tell apart."""

from __future__ import annotations

import json
import ssl
from typing import Any

import httpx
from telegram.error import BadRequest, TelegramError
from telegram.request import HTTPXRequest, RequestData

_CONNECTIONS = 64
_KEEPALIVE_SECONDS = 30.0
_KNOWN = {400, 401, 403, 404, 409}
"""Refusals that the library tells apart by itself; it takes any other for a lost network."""

_WORDS = {413: "it is larger than the server takes"}


class FloodControl(TelegramError):
    """429. Our own, since the library's `RetryAfter` warns about its own future each time it is made."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks to wait for {seconds:g} s")
        self.seconds = seconds


class ServerFailed(TelegramError):
    """5xx, from Telegram or a proxy before it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Telegram's server failed with status {status}")


class NotTelegram(TelegramError):
    """Something in between refused, in its own words: the request got no further."""

    def __init__(self, status: int) -> None:
        super().__init__(f"something between here and Telegram refused with status {status}")


class Unreadable(TelegramError):
    """A success whose body can't be read: what was asked for has probably happened."""

    def __init__(self) -> None:
        super().__init__("Telegram's answer could not be read")


class BotRequest(HTTPXRequest):
    """Raises the errors above for what the library would log with a traceback or tell by wording only."""

    __slots__ = ()

    def __init__(self, context: ssl.SSLContext, read_timeout: float, proxy: str | None = None) -> None:
        limits = httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEEPALIVE_SECONDS)
        super().__init__(
            read_timeout=read_timeout,
            write_timeout=20.0,
            connect_timeout=10.0,
            pool_timeout=10.0,
            proxy=proxy,
            httpx_kwargs={"verify": context, "limits": limits},
        )

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **kwargs: Any
    ) -> tuple[int, bytes]:
        status, body = await super().do_request(url, method, request_data, *args, **kwargs)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise FloodControl(_retry_after(body))
        if status >= 500:
            raise ServerFailed(status)
        if status >= 300 and not body.lstrip().startswith(b"{"):
            raise NotTelegram(status)
        if status >= 300 and status not in _KNOWN:
            raise BadRequest(_WORDS.get(status, f"status {status}"))
        return status, body

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        try:
            value = json.loads(payload)
        except ValueError:
            raise Unreadable from None
        if not isinstance(value, dict):
            raise Unreadable
        return value


def _retry_after(body: bytes) -> float:
    """`parameters.retry_after`, seconds: https://core.telegram.org/bots/api#responseparameters"""
    try:
        return float(json.loads(body)["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError):
        return 5.0

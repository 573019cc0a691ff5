"""The webhook: Meta asks once whether it is ours, then delivers, each time signed with the app's secret.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.adapters.whatsapp.settings import WhatsAppSettings, secret
from channels.webhook import Bounds

log = logging.getLogger(__name__)

BOUNDS = Bounds(body=4_000_000)
"""Meta's payloads have up to 3 MB: https://developers.facebook.com/docs/whatsapp/cloud-api/guides/set-up-webhooks"""
_SIGNATURE = "x-hub-signature-256"

Deliver = Callable[[object], Awaitable[bool]]
"""Takes a signed delivery; returns whether it was stored."""


def application(settings: WhatsAppSettings, deliver: Deliver, forged: Callable[[], None]) -> Starlette:
    """`forged` is told of each delivery that doesn't carry the app's signature."""

    async def challenged(request: Request) -> Response:
        asked = request.query_params
        if asked.get("hub.mode") != "subscribe" or not verified(
            asked.get("hub.verify_token", ""), secret(settings.verify_token)
        ):
            return Response(status_code=403)
        log.info("WhatsApp: Meta has verified the webhook")
        return PlainTextResponse(asked.get("hub.challenge", ""))

    async def delivered(request: Request) -> Response:
        raw = await request.body()
        if not signed(raw, request.headers.get(_SIGNATURE, ""), secret(settings.app_secret)):
            forged()
            return Response(status_code=403)
        try:
            payload = json.loads(raw)
        except (ValueError, RecursionError):
            return Response(status_code=400)
        return Response(status_code=200 if await deliver(payload) else 503)

    return Starlette(
        routes=[
            Route(settings.webhook_path, challenged, methods=["GET"]),
            Route(settings.webhook_path, delivered, methods=["POST"]),
        ]
    )


def verified(shown: str, ours: str) -> bool:
    return bool(ours) and hmac.compare_digest(shown.encode("utf-8", "replace"), ours.encode())


def signed(raw: bytes, header: str, app_secret: str) -> bool:
    """Whether these bytes carry the app's own signature."""
    scheme, _, shown = header.partition("=")
    ours = hmac.new(app_secret.encode(), raw, hashlib.sha256).hexdigest()
    return (
        bool(app_secret)
        and scheme == "sha256"
        and hmac.compare_digest(shown.encode("utf-8", "replace"), ours.encode())
    )

"""What the doctor wants to know: whether the token is taken, and whether Meta's deliveries can arrive."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx

from channels.adapters.whatsapp.cloud.failures import GraphError, delivery_error, meaning_of
from channels.adapters.whatsapp.cloud.graph import Graph
from channels.adapters.whatsapp.settings import WhatsAppSettings, secret
from channels.base import Examined, Host
from channels.errors import DeliveryError

_NUMBER, _WEBHOOK = "number", "webhook"
_CHALLENGE = "1158201444"
_SECONDS = 10.0
_REACH_FIX = (
    "see that nanobot runs, and that your reverse proxy or tunnel passes webhook_url on to webhook_listen, "
    "with the path webhook_path"
)


async def examined(settings: WhatsAppSettings, _host: Host) -> AsyncGenerator[Examined, None]:
    """Ask for the number's name, and knock at our own door from outside; nothing is sent or changed."""
    graph = Graph(settings)
    try:
        yield await _number(graph)
    finally:
        await graph.aclose()
    if not settings.webhook_url:
        text = f"deliveries are expected at http://{settings.webhook_listen}{settings.webhook_path}"
        fix = "set webhook_url to the address that you gave to Meta, so that it can be tried from here"
        yield Examined("warning", _WEBHOOK, text, fix)
        return
    async with httpx.AsyncClient(timeout=_SECONDS) as http:
        yield await _door(http, settings)


async def _number(graph: Graph) -> Examined:
    try:
        line = await graph.line()
    except GraphError as error:
        fix = meaning_of(error).fix or "check phone_number_id and token in [channels.whatsapp]"
        return Examined("error", _NUMBER, delivery_error(error).detail, fix)
    except DeliveryError as error:
        return Examined("error", _NUMBER, error.detail, "look at the network, and at base_url if you set it")
    named = f", {line.name}" if line.name else ""
    return Examined("ok", _NUMBER, f"the token is good for {line.number or 'the number'}{named}")


async def _door(http: httpx.AsyncClient, settings: WhatsAppSettings) -> Examined:
    """Do what Meta does when the webhook is set up there."""
    asked = {
        "hub.mode": "subscribe",
        "hub.verify_token": secret(settings.verify_token),
        "hub.challenge": _CHALLENGE,
    }
    try:
        response = await http.get(settings.webhook_url, params=asked)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = f"{settings.webhook_url} can't be reached: {str(error) or type(error).__name__}"
        return Examined("error", _WEBHOOK, text, _REACH_FIX)
    if response.status_code == httpx.codes.OK and response.text == _CHALLENGE:
        return Examined("ok", _WEBHOOK, f"{settings.webhook_url} leads here")
    text = f"{settings.webhook_url} answers with status {response.status_code}, not as this nanobot would"
    return Examined("error", _WEBHOOK, text, _REACH_FIX)

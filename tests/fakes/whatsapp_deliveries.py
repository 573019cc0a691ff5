"""Deliveries as Meta makes them. Pure.

After the examples in https://github.com/facebook/openapi (path /whatsapp/webhooks) and the reference pages; of 2026 are
`user_id` and its relatives, and the kinds edit and revoke.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

Payload = dict[str, Any]

NUMBER = "15550783881"
PHONE_NUMBER_ID = "106540352242922"


def delivery(*, field: str = "messages", phone_number_id: str = PHONE_NUMBER_ID, **value: Any) -> Payload:
    metadata = {"display_phone_number": NUMBER, "phone_number_id": phone_number_id}
    change = {"value": {"messaging_product": "whatsapp", "metadata": metadata, **value}, "field": field}
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}


def contact(number: str, name: str = "Ann") -> Payload:
    return {"profile": {"name": name}, "wa_id": number, "user_id": user_id(number)}


def user_id(number: str) -> str:
    return f"US.{number}"


def message(number: str, ref: str, kind: str, content: Any, **more: Any) -> Payload:
    """One message in a delivery of its own."""
    head = {"from": number, "from_user_id": user_id(number), "id": ref, "timestamp": str(int(time.time()))}
    body = {**head, "type": kind, kind: content, **more}
    return delivery(contacts=[contact(number)], messages=[body])


def status(number: str, ref: str, state: str, **more: Any) -> Payload:
    """What became of a message of the business."""
    body = {
        "id": ref,
        "status": state,
        "timestamp": str(int(time.time())),
        "recipient_id": number,
        "recipient_user_id": user_id(number),
    }
    return delivery(contacts=[contact(number)], statuses=[{**body, **more}])


def failure(code: int, title: str = "It failed", details: str = "It failed, for a reason.") -> Payload:
    """An error as a status carries it."""
    error = {"code": code, "title": title, "message": title, "error_data": {"details": details}}
    return {
        "errors": [
            {**error, "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"}
        ]
    }


def signature(raw: bytes, app_secret: str) -> str:
    return "sha256=" + hmac.new(app_secret.encode(), raw, hashlib.sha256).hexdigest()


def encoded(payload: Payload) -> bytes:
    """As Meta writes JSON: everything beyond ASCII escaped, and slashes too."""
    return json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()

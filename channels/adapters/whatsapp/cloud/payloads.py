"""The requests that send something. Pure.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from channels.adapters.whatsapp.settings import Template
from channels.types import Choice, Media

BODY_LIMIT = 1024
"""Characters of the text above buttons, and of a caption."""
_BUTTONS, _ROWS = 3, 10
_BUTTON_ID, _ROW_ID = 256, 200
_TITLE = 20
_ROW_TITLE = 24
_OPEN = "Choose"

Payload = dict[str, Any]


def to(chat: str) -> Payload:
    """Who shall get it: a number, a person who hides theirs, or a group."""
    if chat.isdecimal():
        return {"recipient_type": "individual", "to": chat}
    if re.fullmatch(r"[A-Z]{2}\.[A-Za-z0-9]+", chat):
        return {"recipient_type": "individual", "recipient": chat}
    return {"recipient_type": "group", "to": chat}


def text(body: str) -> Payload:
    return {"type": "text", "text": {"body": body, "preview_url": False}}


def media(kind: Media, media_id: str, name: str, caption: str) -> Payload:
    """An uploaded file; a sound carries no caption."""
    match kind:
        case Media.VOICE:
            return {"type": "audio", "audio": {"id": media_id, "voice": True}}
        case Media.AUDIO:
            return {"type": "audio", "audio": {"id": media_id}}
        case Media.IMAGE | Media.VIDEO:
            return {"type": kind.value, kind.value: {"id": media_id, **_caption(caption)}}
        case _:
            return {"type": "document", "document": {"id": media_id, "filename": name, **_caption(caption)}}


def choices(body: str, offered: Sequence[Choice]) -> Payload | None:
    """A text with buttons, or with a list where there are too many; None where WhatsApp has no room for them."""
    shown = list({one.says.strip(): one for one in offered if one.label.strip() and one.says.strip()}.items())
    titles = {one.label.strip()[:_TITLE] for _, one in shown}
    if not shown or not body.strip() or len(body) > BODY_LIMIT or len(titles) < len(shown):
        return None
    longest = max(len(says) for says, _ in shown)
    if len(shown) <= _BUTTONS and longest <= _BUTTON_ID:
        buttons = [
            {"type": "reply", "reply": {"id": says, "title": one.label.strip()[:_TITLE]}}
            for says, one in shown
        ]
        return _interactive("button", body, {"buttons": buttons})
    if len(shown) <= _ROWS and longest <= _ROW_ID:
        rows = [{"id": says, "title": one.label.strip()[:_ROW_TITLE]} for says, one in shown]
        return _interactive("list", body, {"button": _OPEN, "sections": [{"title": _OPEN, "rows": rows}]})
    return None


def template(named: Template) -> Payload:
    language = {"code": named.language, "policy": "deterministic"}
    return {"type": "template", "template": {"name": named.name, "language": language}}


def read_mark(message_id: str, *, typing: bool) -> Payload:
    """Marks a message as read; with `typing` it shows the sign of it too, for 25 seconds at most.

    https://developers.facebook.com/docs/whatsapp/cloud-api/typing-indicators
    """
    mark: Payload = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id}
    return {**mark, "typing_indicator": {"type": "text"}} if typing else mark


def _caption(caption: str) -> Payload:
    return {"caption": caption} if caption else {}


def _interactive(kind: str, body: str, action: Payload) -> Payload:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": body}, "action": action}}

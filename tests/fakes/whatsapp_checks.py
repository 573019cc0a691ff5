"""What Meta's server refuses of a request, written after its published schema.

https://github.com/facebook/openapi (business-messaging-api, the schemas of /messages and /media), with what its own
examples and reference pages add: `recipient`, `biz_opaque_callback_data`, `filename`, `voice`, the typing indicator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

COMMON = {
    "messaging_product",
    "recipient_type",
    "to",
    "recipient",
    "type",
    "context",
    "biz_opaque_callback_data",
    "status",
}
UPLOADS = {
    "audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/ogg; codecs=opus", "audio/opus",
    "image/jpeg", "image/png", "image/webp", "video/mp4", "video/3gpp", "text/plain", "application/pdf",
    "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip
_MEDIA = {
    "image": {"id", "link", "caption"},
    "video": {"id", "link", "caption"},
    "audio": {"id", "link", "voice"},
    "sticker": {"id", "link"},
    "document": {"id", "link", "caption", "filename"},
}


def faults(message: Json, media: Mapping[str, str]) -> list[str]:
    """Everything wrong with a message; `media` gives the type of each uploaded file."""
    kind = message.get("type", "")
    content = message.get(kind)
    found = [*_strange(message, COMMON | {kind}, ""), *_envelope_faults(message)]
    if not isinstance(content, Mapping):
        return [*found, f"{kind or 'type'} is needed"]
    return [*found, *_content_faults(kind, content, media)]


def mark_faults(mark: Json) -> list[str]:
    """Everything wrong with a read mark."""
    wrong = _strange(mark, {"messaging_product", "status", "message_id", "typing_indicator"}, "")
    if mark.get("messaging_product") != "whatsapp" or not mark.get("message_id"):
        wrong.append("messaging_product and message_id are needed")
    if "typing_indicator" in mark and mark["typing_indicator"] != {"type": "text"}:
        wrong.append("typing_indicator.type must be text")
    return wrong


def _envelope_faults(message: Json) -> Iterator[str]:
    if message.get("messaging_product") != "whatsapp":
        yield "messaging_product must be whatsapp"
    if message.get("recipient_type", "individual") not in ("individual", "group"):
        yield "recipient_type must be individual or group"
    if bool(message.get("to")) == bool(message.get("recipient")):
        yield "one of to and recipient is needed"
    if "context" in message and set(message["context"]) != {"message_id"}:
        yield "context holds a message_id and nothing else"
    if len(message.get("biz_opaque_callback_data", "")) > 512:
        yield "biz_opaque_callback_data is too long"


def _content_faults(kind: str, content: Json, media: Mapping[str, str]) -> Iterator[str]:
    if kind == "text":
        yield from _strange(content, {"body", "preview_url"}, "text.")
        yield from _length(content.get("body"), 1, 4096, "text.body")
    elif kind in _MEDIA:
        yield from _file(kind, content, media)
    elif kind == "interactive":
        yield from _interactive(content)
    elif kind == "template":
        yield from _strange(content, {"name", "language", "components"}, "template.")
        if not content.get("name") or not content.get("language", {}).get("code"):
            yield "template.name and template.language.code are needed"
    elif kind == "reaction":
        yield from _strange(content, {"message_id", "emoji"}, "reaction.")
    else:
        yield f"type {kind!r} is unknown"


def _file(kind: str, content: Json, media: Mapping[str, str]) -> Iterator[str]:
    yield from _strange(content, _MEDIA[kind], f"{kind}.")
    if ("id" in content) == ("link" in content):
        yield f"{kind}: one of id and link is needed"
    elif "id" in content and content["id"] not in media:
        yield f"{kind}.id: no such file"
    elif "id" in content and kind != "document" and not media[content["id"]].startswith(f"{kind}/"):
        yield f"{kind}.id is a file of type {media[content['id']]}"
    if "caption" in content:
        yield from _length(content["caption"], 1, 1024, f"{kind}.caption")


def _interactive(content: Json) -> Iterator[str]:
    yield from _strange(content, {"type", "header", "body", "footer", "action"}, "interactive.")
    yield from _length(content.get("body", {}).get("text"), 1, 1024, "interactive.body.text")
    action = content.get("action", {})
    if content.get("type") == "button":
        yield from _strange(action, {"buttons"}, "action.")
        buttons = action.get("buttons", [])
        if not 1 <= len(buttons) <= 3:
            yield "action.buttons: 1 to 3"
        if any(button.get("type") != "reply" for button in buttons):
            yield "action.buttons.type must be reply"
        yield from _replies([button.get("reply", {}) for button in buttons], 256, 20)
    elif content.get("type") == "list":
        yield from _strange(action, {"button", "sections"}, "action.")
        yield from _length(action.get("button"), 1, 20, "action.button")
        sections = action.get("sections", [])
        rows = [row for section in sections for row in section.get("rows", [])]
        if not 1 <= len(sections) <= 10 or not 1 <= len(rows) <= 10:
            yield "action.sections: 1 to 10, with 10 rows together"
        yield from _replies(rows, 200, 24)
    else:
        yield f"interactive.type {content.get('type')!r} is unknown"


def _replies(replies: list[Json], longest_id: int, longest_title: int) -> Iterator[str]:
    for reply in replies:
        yield from _strange(reply, {"id", "title", "description"}, "reply.")
        yield from _length(reply.get("id"), 1, longest_id, "reply.id")
        yield from _length(reply.get("title"), 1, longest_title, "reply.title")
        if reply.get("id", "") != reply.get("id", "").strip():
            yield "reply.id begins or ends with white space"
    for name in ("id", "title"):
        if len({reply.get(name) for reply in replies}) < len(replies):
            yield f"reply.{name} is there twice"


def _strange(holder: Json, known: set[str], where: str) -> list[str]:
    return [f"unexpected field {where}{name}" for name in holder if name not in known]


def _length(text: object, least: int, most: int, where: str) -> Iterator[str]:
    if not isinstance(text, str) or not least <= len(text.strip() and text) <= most:
        yield f"{where} must have {least} to {most} characters"

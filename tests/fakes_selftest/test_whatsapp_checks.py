"""The stand-in for WhatsApp's server refuses what Meta's published schema refuses, and nothing else of ours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.whatsapp_checks import faults, mark_faults

MEDIA = {"7": "image/jpeg", "8": "audio/ogg; codecs=opus"}
TEXT: dict[str, Any] = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "16505551234",
    "type": "text",
    "text": {"body": "hello", "preview_url": False},
}


def changed(kind: str, content: Any) -> dict[str, Any]:
    return {**{key: value for key, value in TEXT.items() if key != "text"}, "type": kind, kind: content}


def buttons(*replies: tuple[str, str]) -> dict[str, Any]:
    made = [{"type": "reply", "reply": {"id": says, "title": title}} for says, title in replies]
    return changed("interactive", {"type": "button", "body": {"text": "?"}, "action": {"buttons": made}})


@pytest.mark.parametrize(
    "good",
    [
        TEXT,
        {**TEXT, "context": {"message_id": "wamid.1"}, "biz_opaque_callback_data": "x"},
        changed("image", {"id": "7", "caption": "c"}),
        changed("audio", {"id": "8", "voice": True}),
        changed("document", {"id": "7", "filename": "a.jpg"}),
        changed("template", {"name": "hello", "language": {"code": "en_US"}}),
        buttons(("a", "A"), ("b", "B"), ("c", "C")),
    ],
)
def test_what_is_good_is_taken(good: dict[str, Any]) -> None:
    assert faults(good, MEDIA) == []


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({**TEXT, "messaging_product": "telegram"}, "messaging_product"),
        ({**TEXT, "recipient_type": "everybody"}, "recipient_type"),
        ({**TEXT, "to": ""}, "to and recipient"),
        ({**TEXT, "recipient": "US.1"}, "to and recipient"),
        ({**TEXT, "edits": "wamid.1"}, "unexpected field edits"),
        ({**TEXT, "context": {"id": "wamid.1"}}, "context"),
        ({**TEXT, "type": "hologram"}, "hologram is needed"),
        ({**TEXT, "text": {"body": ""}}, "text.body"),
        ({**TEXT, "text": {"body": " \n"}}, "text.body"),
        ({**TEXT, "text": {"body": "x" * 4097}}, "text.body"),
        ({**TEXT, "text": {"body": "x", "markup": "html"}}, "unexpected field text.markup"),
        (changed("image", {"id": "9"}), "no such file"),
        (changed("image", {"id": "8"}), "is a file of type audio"),
        (changed("image", {"id": "7", "link": "https://example.org"}), "id and link"),
        (changed("image", {"id": "7", "caption": "x" * 1025}), "image.caption"),
        (changed("image", {"id": "7", "filename": "a"}), "unexpected field image.filename"),
        (changed("audio", {"id": "8", "caption": "x"}), "unexpected field audio.caption"),
        (changed("template", {"name": "hello"}), "template.name"),
        (buttons(), "1 to 3"),
        (buttons(*((str(number), str(number)) for number in range(4))), "1 to 3"),
        (buttons(("a", "x" * 21)), "reply.title"),
        (buttons(("x" * 257, "A")), "reply.id"),
        (buttons((" a", "A")), "white space"),
        (buttons(("a", "A"), ("a", "B")), "reply.id is there twice"),
        (buttons(("a", "A"), ("b", "A")), "reply.title is there twice"),
    ],
)
def test_what_is_wrong_is_found(wrong: dict[str, Any], found: str) -> None:
    assert found in "; ".join(faults(wrong, MEDIA))


def test_read_marks() -> None:
    good = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}
    assert mark_faults(good) == []
    assert mark_faults({**good, "typing_indicator": {"type": "text"}}) == []
    for wrong in ({**good, "message_id": ""}, {**good, "typing_indicator": {}}, {**good, "to": "1"}):
        assert mark_faults(wrong)

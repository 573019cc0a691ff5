"""pywa, a client library of somebody else's, as the referee: what we send is what it sends, what we read is what it
reads, and the stand-in's signatures are good to it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pywa.utils import webhook_updates_validator
from pywa_async import errors
from pywa_async import types as pywa_types
from pywa_async.client import WhatsApp

from channels.adapters.whatsapp.cloud.failures import GraphError, answered, meaning_of
from channels.adapters.whatsapp.cloud.reading import read, to_inbound
from channels.adapters.whatsapp.cloud.webhook import signed
from channels.errors import NotSent, Refused
from channels.types import Choice, File, Media
from tests.fakes import whatsapp_deliveries as made
from tests.fakes.whatsapp_answers import refusal
from tests.fakes.whatsapp_cloud import APP_SECRET, VERSION, WhatsAppFake
from tests.unit.channels.whatsapp_cloud.scene import ANN, Scene, scene

types: Any = pywa_types  # what it passes on there it does not mark as its own

FILE = {"mime_type": "image/jpeg", "sha256": "x", "id": "1003383421387256"}


class ToTheStandIn(httpx.AsyncBaseTransport):
    """The library knows one server only."""

    def __init__(self, base_url: str) -> None:
        self._at = httpx.URL(base_url)
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host=self._at.host, port=self._at.port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def library(wa: WhatsAppFake) -> AsyncIterator[WhatsApp]:
    async with httpx.AsyncClient(transport=ToTheStandIn(wa.base_url), timeout=10) as http:
        yield WhatsApp(
            phone_id=made.PHONE_NUMBER_ID,
            token=wa.token,
            session=http,
            server=None,
            app_secret=APP_SECRET,
            validate_updates=True,
            api_version=VERSION.removeprefix("v"),
        )


def same(s: Scene) -> None:
    """The last two messages are one and the same, but for our mark and what is left to its default."""
    theirs, ours = (one.payload for one in s.wa.sent[-2:])
    ours = {key: value for key, value in ours.items() if key != "biz_opaque_callback_data"}
    assert _bare(json.loads(json.dumps(ours))) == _bare(json.loads(json.dumps(theirs)))


def _bare(payload: Any) -> Any:
    if not isinstance(payload, dict):
        return [_bare(one) for one in payload] if isinstance(payload, list) else payload
    return {key: _bare(value) for key, value in payload.items() if value not in (None, False)}


async def test_texts_and_quotes_are_the_same() -> None:
    async with scene() as s, library(s.wa) as theirs:
        await theirs.send_message(ANN, "hello")
        await s.send("hello")
        same(s)
        await theirs.send_message(ANN, "hello", reply_to_message_id="wamid.7")
        await s.send("hello", 2, reply_to="wamid.7")
        same(s)


async def test_buttons_and_lists_are_the_same() -> None:
    async with scene() as s, library(s.wa) as theirs:
        buttons = [
            types.Button("Yes", callback_data="/approve 7"),
            types.Button("No", callback_data="/deny 7"),
        ]
        await theirs.send_message(ANN, "Shall I?", buttons=buttons)
        await s.send("Shall I?", choices=(Choice("Yes", "/approve 7"), Choice("No", "/deny 7")))
        same(s)
        rows = [types.SectionRow(f"Number {number}", callback_data=str(number)) for number in range(4)]
        listed = types.SectionList("Choose", sections=[types.Section("Choose", rows=rows)])
        await theirs.send_message(ANN, "Which?", buttons=listed)
        await s.send("Which?", 2, choices=tuple(Choice(f"Number {n}", str(n)) for n in range(4)))
        same(s)


@pytest.mark.parametrize(
    ("kind", "mime"),
    [
        (Media.IMAGE, "image/jpeg"),
        (Media.VIDEO, "video/mp4"),
        (Media.AUDIO, "audio/mpeg"),
        (Media.VOICE, "audio/ogg"),
        (Media.FILE, "application/pdf"),
    ],
)
async def test_files_are_the_same(tmp_path: Path, kind: Media, mime: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    caption = "look" if kind in (Media.IMAGE, Media.VIDEO, Media.FILE) else ""
    async with scene() as s, library(s.wa) as theirs:
        await s.send(caption, file=File(path, "file", mime, kind))
        used = s.wa.sent[0].payload
        media_id = used[used["type"]]["id"]
        match kind:
            case Media.IMAGE:
                await theirs.send_image(ANN, media_id, caption=caption)
            case Media.VIDEO:
                await theirs.send_video(ANN, media_id, caption=caption)
            case Media.AUDIO:
                await theirs.send_audio(ANN, media_id)
            case Media.VOICE:
                await theirs.send_voice(ANN, media_id)
            case _:
                await theirs.send_document(ANN, media_id, filename="file", caption=caption)
        s.wa.sent.reverse()
        same(s)


async def test_read_marks_are_the_same() -> None:
    async with scene() as s, library(s.wa) as theirs:
        ref = s.wa.says(ANN, "hello")
        message = await s.heard()
        await s.wa.until(lambda: len(s.wa.marks) == 1)
        await theirs.mark_message_as_read(ref)
        await s.channel.working(message.address)
        await theirs.indicate_typing(ref)
        plain, theirs_plain, typing, theirs_typing = s.wa.marks
        assert (plain, typing) == (theirs_plain, theirs_typing)


async def test_the_stand_in_hands_files_to_the_library_too() -> None:
    async with WhatsAppFake() as wa, library(wa) as theirs:
        uploaded = await theirs.upload_media(media=b"OggS", mime_type="audio/ogg", filename="v.ogg")
        stored = await theirs.get_media_url(str(uploaded.id))
        assert await theirs.get_media_bytes(url=stored.url) == b"OggS"


MESSAGES: list[tuple[str, Any, dict[str, Any]]] = [
    ("text", {"body": "hi"}, {}),
    ("text", {"body": "hi"}, {"context": {"forwarded": True}}),
    ("text", {"body": "hi"}, {"context": {"from": made.NUMBER, "id": "wamid.0"}}),
    ("image", {**FILE, "caption": "look"}, {}),
    ("video", {**FILE, "mime_type": "video/mp4"}, {}),
    ("audio", {**FILE, "mime_type": "audio/ogg", "voice": True}, {}),
    ("document", {**FILE, "filename": "a.pdf", "caption": "read it"}, {}),
    ("sticker", {**FILE, "animated": False}, {}),
    ("location", {"latitude": 1.5, "longitude": 2.5, "name": "Philz"}, {}),
    ("reaction", {"message_id": "wamid.0", "emoji": "👍"}, {}),
    ("unsupported", {"type": "poll"}, {}),
]


@pytest.mark.parametrize(("kind", "content", "more"), MESSAGES)
def test_messages_are_read_the_same(kind: str, content: Any, more: dict[str, Any]) -> None:
    payload = made.message(ANN, "wamid.1", kind, content, **more)
    library_ = WhatsApp(phone_id=made.PHONE_NUMBER_ID, token="t", server=None)
    theirs = types.Message.from_update(library_, payload)
    (arrival,) = read(payload, made.PHONE_NUMBER_ID, lambda _: "").arrivals
    ours = to_inbound(arrival, None)

    assert (arrival.id, arrival.at) == (theirs.id, theirs.timestamp)
    assert (arrival.sender.id, arrival.user_id) == (theirs.from_user.wa_id, theirs.from_user.bsuid)
    assert arrival.sender.name == theirs.from_user.name
    assert (arrival.answers or None) == (theirs.reply_to_message.id if theirs.reply_to_message else None)
    if ours is None:
        assert theirs.reaction is not None
        return
    told = theirs.text or theirs.caption or ""
    assert told in "".join([ours.text, *(quote.text for quote in ours.quotes)])
    assert (told in ours.text) is (not theirs.forwarded)
    assert [one.ref for one in ours.attachments] == ([theirs.media.id] if theirs.media else [])
    assert any(one.kind is Media.VOICE for one in ours.attachments) is bool(theirs.voice)


def test_presses_edits_and_statuses_are_read_the_same() -> None:
    library_ = WhatsApp(phone_id=made.PHONE_NUMBER_ID, token="t", server=None)
    context = {"from": made.NUMBER, "id": "wamid.0"}
    reply = {"type": "button_reply", "button_reply": {"id": "/deny 7", "title": "No"}}
    payload = made.message(ANN, "wamid.1", "interactive", reply, context=context)
    press = types.CallbackButton.from_update(library_, payload)
    ours = to_inbound(read(payload, made.PHONE_NUMBER_ID, lambda _: "").arrivals[0], None)
    assert ours is not None
    assert ours.text == press.data

    inner = {"type": "text", "text": {"body": "2+4?"}}
    payload = made.message(ANN, "wamid.2", "edit", {"original_message_id": "wamid.0", "message": inner})
    edit = types.EditedMessage.from_update(library_, payload)
    ours = to_inbound(read(payload, made.PHONE_NUMBER_ID, lambda _: "").arrivals[0], None)
    assert ours is not None
    assert (ours.edits, ours.text, ours.key) == (edit.original_message_id, edit.message.text, edit.id)

    payload = made.status(ANN, "wamid.3", "failed", **made.failure(131047))
    theirs = types.MessageStatus.from_update(library_, payload)
    (status,) = read(payload, made.PHONE_NUMBER_ID, lambda _: "").statuses
    assert theirs.error is not None
    assert (status.ref, status.state, status.code) == (theirs.id, theirs.status.value, theirs.error.code)
    assert (status.chat, status.said) == (theirs.from_user.wa_id, theirs.error.details)


@pytest.mark.parametrize(
    ("code", "status", "named", "outcome"),
    [
        (130429, 400, errors.RateLimitHit, NotSent),
        (80007, 400, errors.RateLimitIssues, NotSent),
        (131056, 400, errors.TooManyMessages, NotSent),
        (131047, 400, errors.ReEngagementMessage, NotSent),
        (131048, 400, errors.SpamRateLimitHit, NotSent),
        (190, 401, errors.ExpiredAccessToken, NotSent),
        (10, 403, errors.PermissionDenied, NotSent),
        (132001, 400, errors.TemplateNotExists, NotSent),
        (131026, 400, errors.MessageUndeliverable, Refused),
        (131053, 400, errors.MediaUploadError, Refused),
        (131051, 400, errors.UnsupportedMessageType, Refused),
    ],
)
async def test_errors_mean_the_same(
    code: int, status: int, named: type[errors.WhatsAppError], outcome: type[Exception]
) -> None:
    async with WhatsAppFake() as wa, library(wa) as theirs:
        wa.fails(code, status)
        with pytest.raises(named):
            await theirs.send_message(ANN, "hello")
    with pytest.raises(GraphError) as ours:
        answered(httpx.Response(status, content=bytes(refusal(code, status).body)))
    assert ours.value.code == code
    assert meaning_of(ours.value).outcome is outcome


@pytest.mark.parametrize("kind", ["text", "contacts"])
def test_signatures_are_good_to_both(kind: str) -> None:
    raw = made.encoded(made.message(ANN, "wamid.1", kind, {"body": "grüße / 🚀"}))
    good = made.signature(raw, APP_SECRET)
    for signature in (good, made.signature(raw, "another"), made.signature(raw + b" ", APP_SECRET)):
        assert webhook_updates_validator(APP_SECRET, raw, signature) is (signature == good)
        assert signed(raw, signature, APP_SECRET) is (signature == good)

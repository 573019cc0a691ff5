"""Orders in the library's words: the messages it is given to send. `protos` and `e2e` are its protobufs. Pure."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from channels.adapters.whatsapp.linked.jids import Jid, of_chat, referred
from channels.adapters.whatsapp.linked.protocol import Answered, Upload
from channels.types import Media

_PICTURES = {"image/jpeg", "image/png"}
_VIDEOS = {"video/mp4", "video/3gpp"}
_SOUNDS = {"audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg"}
"""What WhatsApp's apps play; anything else goes as a document."""
_VOICE = "audio/ogg; codecs=opus"
_LARGEST_SHOWN = 16 * 1024 * 1024
"""Bytes of a picture, a video or a sound; a larger one goes as a document: https://faq.whatsapp.com/1323305611586010"""
_THUMBNAIL = 72
_OPUS_RATE = 48_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file with its bytes."""

    file: Upload
    content: bytes


def jid(protos: Any, of: Jid) -> Any:
    return protos.JID(User=of.user, Server=of.server, Device=0, RawAgent=0, Integrator=0, IsEmpty=not of.user)


def text_message(e2e: Any, text: str, chat: str, answers: Answered | None) -> Any:
    if answers is None:
        return e2e.Message(conversation=text)
    quoting = e2e.ExtendedTextMessage(text=text, contextInfo=_quoted(e2e, answers, chat))
    return e2e.Message(extendedTextMessage=quoting)


def shown_as(file: Upload, size: int) -> Media:
    """As what a file is sent: as a document where the apps would not show or play it."""
    mime = file.mime.partition(";")[0].strip().lower()
    fits = {Media.IMAGE: _PICTURES, Media.VIDEO: _VIDEOS, Media.AUDIO: _SOUNDS, Media.VOICE: {"audio/ogg"}}
    return file.media if mime in fits.get(file.media, ()) and size <= _LARGEST_SHOWN else Media.FILE


def media_message(e2e: Any, media: Media, loaded: Loaded, upload: Any, caption: str) -> Any:
    """A message with an uploaded file; a sound carries no caption."""
    common = {
        "URL": upload.url,
        "directPath": upload.DirectPath,
        "mediaKey": upload.MediaKey,
        "fileEncSHA256": upload.FileEncSHA256,
        "fileSHA256": upload.FileSHA256,
        "fileLength": upload.FileLength,
        "mimetype": _VOICE if media is Media.VOICE else loaded.file.mime,
    }
    match media:
        case Media.IMAGE:
            small = thumbnail(loaded.content)
            return e2e.Message(imageMessage=e2e.ImageMessage(**common, caption=caption, JPEGThumbnail=small))
        case Media.VIDEO:
            return e2e.Message(videoMessage=e2e.VideoMessage(**common, caption=caption))
        case Media.VOICE:
            length = opus_seconds(loaded.content)
            return e2e.Message(audioMessage=e2e.AudioMessage(**common, PTT=True, seconds=length))
        case Media.AUDIO:
            return e2e.Message(audioMessage=e2e.AudioMessage(**common, PTT=False))
        case _:
            name = {"fileName": loaded.file.name, "title": loaded.file.name}
            return e2e.Message(documentMessage=e2e.DocumentMessage(**common, **name, caption=caption))


def answering(e2e: Any, message: Any, chat: str, answers: Answered | None) -> Any:
    """The same message, as the answer to another."""
    if answers is None:
        return message
    for field, value in message.ListFields():
        if field.message_type is not None and "contextInfo" in value.DESCRIPTOR.fields_by_name:
            value.contextInfo.CopyFrom(_quoted(e2e, answers, chat))
    return message


def has_caption(media: Media) -> bool:
    return media not in (Media.VOICE, Media.AUDIO)


def thumbnail(content: bytes) -> bytes:
    """A small JPEG of a picture, which is seen until the picture is loaded; empty where it can't be read."""
    from PIL import Image  # noqa: PLC0415 -- comes with the library; only pictures need it

    try:
        with Image.open(io.BytesIO(content)) as picture:
            small = picture.convert("RGB")
            small.thumbnail((_THUMBNAIL, _THUMBNAIL))
            found = io.BytesIO()
            small.save(found, "JPEG", quality=60)
    except (OSError, ValueError, Image.DecompressionBombError):
        return b""
    return found.getvalue()


def opus_seconds(content: bytes) -> int:
    """How long an Ogg Opus file plays: its last page's position, in samples at 48 kHz (RFC 7845, section 4)."""
    last = content.rfind(b"OggS")
    if last < 0 or len(content) < last + 14:
        return 0
    return max(1, round(int.from_bytes(content[last + 6 : last + 14], "little", signed=True) / _OPUS_RATE))


def _quoted(e2e: Any, answers: Answered, chat: str) -> Any:
    message_id, writer = referred(answers.ref, of_chat(chat))
    quoted = e2e.Message(conversation=answers.text)
    return e2e.ContextInfo(stanzaID=message_id, participant=str(writer), quotedMessage=quoted)

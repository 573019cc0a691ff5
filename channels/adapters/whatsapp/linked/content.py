"""What a message of WhatsApp's holds: words, files, what can be told in a line, and what it is wrapped in. Pure.

The fields: https://github.com/tulir/whatsmeow/blob/main/proto/waE2E/WAWebProtobufsE2E.proto. The library's objects are
only looked at, so that it need not be imported here.
"""

from __future__ import annotations

import base64
from typing import Any

from channels.types import Attachment, Media, Quote

_WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "editedMessage",
    "groupMentionedMessage",
    "botInvokeMessage",
    "associatedChildMessage",
    "spoilerMessage",
)
_DEEPEST = 8

_FILES: tuple[tuple[str, str, Media, str], ...] = (
    ("imageMessage", "imageMessage", Media.IMAGE, "a photo"),
    ("videoMessage", "videoMessage", Media.VIDEO, "a video"),
    ("ptvMessage", "videoMessage", Media.VIDEO, "a video message"),
    ("audioMessage", "audioMessage", Media.AUDIO, "an audio file"),
    ("documentMessage", "documentMessage", Media.FILE, "a file"),
)
"""The field that holds a file, the field by which it is fetched, its kind, and its name in a sentence."""

_FETCHED_BY = (
    "URL",
    "directPath",
    "mimetype",
    "mediaKey",
    "fileSHA256",
    "fileEncSHA256",
    "fileLength",
    "mediaKeyTimestamp",
)
"""All that fetching and deciphering a file needs; thumbnails and captions would make a reference long."""

_POLLS = ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV5")
_MENTIONED = {
    "stickerPackMessage": "[a pack of stickers]",
    "groupInviteMessage": "[an invitation to a group]",
    "productMessage": "[a product]",
    "orderMessage": "[an order]",
    "requestPaymentMessage": "[a request for payment]",
    "sendPaymentMessage": "[a payment]",
    "call": "[a call]",
}
_CHOSEN = (
    ("buttonsResponseMessage", "selectedDisplayText"),
    ("templateButtonReplyMessage", "selectedDisplayText"),
    ("listResponseMessage", "title"),
)
"""Pressed buttons: the sender's own choice."""


def unwrapped(message: Any) -> Any:
    """The message itself, of whatever it is wrapped in."""
    for _ in range(_DEEPEST):
        wrapper = next((name for name in _WRAPPERS if has(message, name)), "")
        if not wrapper or not getattr(message, wrapper).HasField("message"):
            break
        message = getattr(message, wrapper).message
    return message


def context(message: Any) -> Any | None:
    """What a message says of its own circumstances: what it answers, that it was forwarded, whom it mentions."""
    for field, value in message.ListFields():
        if field.name != "messageContextInfo" and field.message_type is not None and not field.is_repeated:
            known = value.DESCRIPTOR.fields_by_name
            if "contextInfo" in known and value.HasField("contextInfo"):
                return value.contextInfo
    return None


def words(message: Any) -> str:
    """What was typed: a text or a caption."""
    if message.conversation:
        return string(message.conversation)
    if has(message, "extendedTextMessage"):
        return string(message.extendedTextMessage.text)
    for name, chosen in _CHOSEN:
        if has(message, name):
            return string(getattr(getattr(message, name), chosen))
    for name in ("imageMessage", "videoMessage", "documentMessage"):
        if has(message, name):
            return string(getattr(message, name).caption)
    return string(message.liveLocationMessage.caption) if has(message, "liveLocationMessage") else ""


def told(message: Any) -> str:
    """What somebody sent without writing it: a place, a sticker, a poll."""
    if has(message, "stickerMessage") or has(message, "lottieStickerMessage"):
        emoji = string(message.stickerMessage.emojis)
        return f"[a sticker: {emoji}]" if emoji else "[a sticker]"
    for name in ("locationMessage", "liveLocationMessage"):
        if has(message, name):
            place = getattr(message, name)
            return f"[a location: {place.degreesLatitude:.6f}, {place.degreesLongitude:.6f}]"
    if has(message, "contactMessage"):
        return "[a contact]"
    if has(message, "contactsArrayMessage"):
        return f"[{len(message.contactsArrayMessage.contacts)} contacts]"
    for name in _POLLS:
        if has(message, name):
            poll = getattr(message, name)
            options = "\n".join(f"- {string(option.optionName)}" for option in poll.options)
            return f"[a poll: {string(poll.name)}]\n{options}"
    if has(message, "eventMessage"):
        return f"[an event: {string(message.eventMessage.name)}]"
    return next((text for name, text in _MENTIONED.items() if has(message, name)), "")


def passed_on(message: Any) -> tuple[Quote, ...]:
    """Words of others in what somebody shares: a place's name, a person's card."""
    found = []
    if has(message, "locationMessage"):
        place = message.locationMessage
        if named := "\n".join(filter(None, map(string, (place.name, place.address, place.comment)))):
            found.append(Quote(named, "the place that they share"))
    cards = [message.contactMessage] if has(message, "contactMessage") else []
    cards += message.contactsArrayMessage.contacts if has(message, "contactsArrayMessage") else []
    for card in cards:
        text = "\n".join(filter(None, map(string, (card.displayName, card.vcard))))
        found.append(Quote(text, "the contact that they share"))
    return tuple(found)


def files(message: Any, *, spoken: bool = False) -> tuple[Attachment, ...]:
    """The file of a message. `spoken`: a voice message is its sender's own speech."""
    for name, fetched, kind, _ in _FILES:
        if not has(message, name):
            continue
        file = getattr(message, name)
        mime = string(file.mimetype)
        if name == "audioMessage" and file.PTT and spoken:
            kind = Media.VOICE  # noqa: PLW2901 -- what the table says holds for the rest
        if kind is Media.FILE:
            kinds = {"image": Media.IMAGE, "video": Media.VIDEO, "audio": Media.AUDIO}
            kind = kinds.get(mime.partition("/")[0].lower(), kind)  # noqa: PLW2901 -- as above
        given = string(file.fileName or file.title) if name == "documentMessage" else ""
        return (Attachment(kind, given, mime, int(file.fileLength), _file_ref(message, fetched, file)),)
    return ()


def described(message: Any) -> str:
    """The file of a message in a word, for where it is only spoken of."""
    if has(message, "audioMessage") and message.audioMessage.PTT:
        return "[a voice message]"
    return next((f"[{text}]" for name, _, _, text in _FILES if has(message, name)), "")


def in_album(message: Any) -> bool:
    """Whether more pictures of the same album are on their way, or just came."""
    if not has(message, "messageContextInfo"):
        return False
    return bool(message.messageContextInfo.HasField("messageAssociation"))


def string(value: Any) -> str:
    """A text field's value. One that is no UTF-8 comes as bytes, since nobody on its way checks it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def has(message: Any, name: str) -> bool:
    """Whether a message holds this field; one that this version of the library doesn't know, it doesn't hold."""
    return name in message.DESCRIPTOR.fields_by_name and bool(message.HasField(name))


def _file_ref(message: Any, name: str, file: Any) -> str:
    """All that brings the file, also after a restart: a message with nothing else in it."""
    bare = type(message)()
    kept = getattr(bare, name)
    kept.CopyFrom(file)
    for field, _ in kept.ListFields():
        if field.name not in _FETCHED_BY:
            kept.ClearField(field.name)
    return base64.b64encode(bare.SerializePartialToString()).decode()

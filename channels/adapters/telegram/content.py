"""What a message holds beside written words: files, and things that can be told in a line. Pure.

Fields: https://core.telegram.org/bots/api#message
"""

from __future__ import annotations

from collections.abc import Iterator

from telegram import (
    Animation,
    Audio,
    Document,
    ExternalReplyInfo,
    Message,
    MessageEntity,
    PhotoSize,
    Video,
    VideoNote,
)

from channels.types import Attachment, Media, Quote

Holder = Message | ExternalReplyInfo
"""A message, or what is known of one in another chat."""

_PLAYED = Animation | Audio | Document | Video | VideoNote
_FILES: tuple[tuple[str, Media, str, str], ...] = (
    ("animation", Media.VIDEO, "video/mp4", "an animation"),  # first: an animation is a document too
    ("video", Media.VIDEO, "video/mp4", "a video"),
    ("video_note", Media.VIDEO, "video/mp4", "a video message"),
    ("audio", Media.AUDIO, "", "an audio file"),
    ("document", Media.FILE, "", "a file"),
)
"""The field that holds a file, its kind, what it is where nobody says, and its name in a sentence."""

_MENTIONED = {
    "paid_media": "[paid media, which bots can't open]",
    "story": "[a story, which bots can't open]",
    "game": "[a game]",
    "invoice": "[an invoice]",
    "giveaway": "[a giveaway]",
}


def files(holder: Holder, *, spoken: bool = False) -> tuple[Attachment, ...]:
    """The file of a message, of pictures the largest. `spoken`: a voice message is its sender's own speech."""
    if holder.photo:
        return (_photo(max(holder.photo, key=lambda size: size.width * size.height)),)
    if holder.voice:
        kind = Media.VOICE if spoken else Media.AUDIO
        voice = holder.voice
        mime = voice.mime_type or "audio/ogg"
        return (Attachment(kind, "", mime, voice.file_size or 0, voice.file_id),)
    for field, kind, mime, _ in _FILES:
        if file := getattr(holder, field):
            return (_file(file, kind, mime),)
    return ()


def described(holder: Holder) -> str:
    """The file of a message in a word, for where it is only spoken of."""
    if holder.photo:
        return "[a photo]"
    if holder.voice:
        return "[a voice message]"
    return next((f"[{words}]" for field, *_, words in _FILES if getattr(holder, field)), "")


def links(message: Message) -> str:
    """Where links lead whose labels don't say it, a line each."""
    raw = (message.text or message.caption or "").encode("utf-16-le", "surrogatepass")
    lines = []
    for entity in message.entities or message.caption_entities:
        label = raw[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", "replace")
        if entity.type == MessageEntity.TEXT_LINK and entity.url and label not in entity.url:
            lines.append(f"[“{label}” leads to {entity.url}]")
    return "\n".join(lines)


def told(holder: Holder) -> str:
    """What somebody sent without writing it: a place, a sticker, a poll."""
    return "\n".join(_told(holder))


def passed_on(holder: Holder) -> tuple[Quote, ...]:
    """Words of others in what somebody shares: a place's name, a person's card."""
    found = []
    if venue := holder.venue:
        found.append(Quote(f"{venue.title}\n{venue.address}", "the place that they share"))
    if contact := holder.contact:
        name = " ".join(filter(None, (contact.first_name, contact.last_name)))
        card = filter(None, (name, contact.phone_number, contact.vcard))
        found.append(Quote("\n".join(card), "the contact that they share"))
    return tuple(found)


def _photo(photo: PhotoSize) -> Attachment:
    return Attachment(Media.IMAGE, "", "image/jpeg", photo.file_size or 0, photo.file_id)


def _file(file: _PLAYED, kind: Media, mime: str) -> Attachment:
    name = getattr(file, "file_name", None) or ""
    mime = getattr(file, "mime_type", None) or mime
    if kind is Media.FILE:
        kinds = {"image": Media.IMAGE, "video": Media.VIDEO, "audio": Media.AUDIO}
        kind = kinds.get(mime.partition("/")[0].lower(), kind)
    return Attachment(kind, name, mime, file.file_size or 0, file.file_id)


def _told(holder: Holder) -> Iterator[str]:
    if holder.sticker:
        yield f"[a sticker: {holder.sticker.emoji}]" if holder.sticker.emoji else "[a sticker]"
    if place := holder.venue.location if holder.venue else holder.location:
        yield f"[a location: {place.latitude:.6f}, {place.longitude:.6f}]"
    if holder.contact:
        yield "[a contact]"
    if dice := holder.dice:
        yield f"[{dice.emoji} shows {dice.value}]"
    if poll := holder.poll:
        yield f"[a poll: {poll.question}]\n" + "\n".join(f"- {option.text}" for option in poll.options)
    if checklist := holder.checklist:
        lines = [f"- [{'x' if task.completion_date else ' '}] {task.text}" for task in checklist.tasks]
        yield f"[a checklist: {checklist.title}]\n" + "\n".join(lines)
    for field, words in _MENTIONED.items():
        if getattr(holder, field, None):
            yield words

"""What a delivered message holds: words, files, and what can be told in a line. Pure; never raises.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components#messages-object
"""

from __future__ import annotations

from collections.abc import Iterator

from channels.adapters.whatsapp.cloud.fields import Holder, number, part, parts, words
from channels.types import Attachment, Media, Quote

_FILES = {
    "image": Media.IMAGE,
    "sticker": Media.IMAGE,
    "video": Media.VIDEO,
    "audio": Media.AUDIO,
    "document": Media.FILE,
}
_SILENT = ("reaction", "system", "revoke", "request_welcome", "ephemeral")
"""Nobody wrote these to be read."""
_TOLD = ("location", "contacts", "sticker", "order", "unsupported", "unknown", "interactive", *_FILES)


def kind(message: Holder) -> str:
    return words(message, "type")


def silent(message: Holder) -> bool:
    return kind(message) in _SILENT


def forwarded(message: Holder) -> bool:
    context = part(message, "context")
    return bool(context.get("forwarded") or context.get("frequently_forwarded"))


def written(message: Holder) -> str:
    """What was typed, or what a button says that was pressed."""
    match kind(message):
        case "text":
            return words(part(message, "text"), "body")
        case "button":
            return words(part(message, "button"), "text")
        case "interactive":
            reply = _pressed(message)
            return words(reply, "id") or words(reply, "title")
        case "order":
            return words(part(message, "order"), "text")
        case found:
            return words(part(message, found), "caption")


def pressed(message: Holder) -> bool:
    """Whether it is a press of a button under one of the bot's messages."""
    return kind(message) == "button" or bool(_pressed(message))


def told(message: Holder) -> str:
    """What somebody sent without writing it: a place, a sticker, what the API does not pass on."""
    match kind(message):
        case "sticker":
            return "[a sticker]"
        case "location":
            place = part(message, "location")
            return f"[a location: {number(place, 'latitude'):.6f}, {number(place, 'longitude'):.6f}]"
        case "contacts":
            count = len(parts(message, "contacts"))
            return "[a contact]" if count == 1 else f"[{count} contacts]"
        case "order":
            return f"[an order of {len(parts(part(message, 'order'), 'product_items'))} things]"
        case "interactive" if not _pressed(message):
            return "[a filled-in form, which can't be read here]"
        case "unsupported" | "unknown":
            named = words(part(message, "unsupported"), "type")
            return f"[{_article(named)}, which WhatsApp does not pass on to businesses]"
        case found if found not in ("text", "button", *_TOLD):
            return f"[a message of a kind that is not known here: {found[:40] or 'none'}]"
    return ""


def passed_on(message: Holder) -> Iterator[Quote]:
    """Words of others in what somebody shares: a place's name, a person's card, an advertisement."""
    place = part(message, "location")
    if named := _lines(place, "name", "address", "url"):
        yield Quote(named, "the place that they share")
    for card in parts(message, "contacts") if kind(message) == "contacts" else ():
        if text := "\n".join(_card(card)):
            yield Quote(text, "the contact that they share")
    for item in parts(part(message, "order"), "product_items"):
        yield Quote(f"{words(item, 'quantity')} x {words(item, 'product_retailer_id')}", "what they order")
    if advertised := _lines(part(message, "referral"), "headline", "body", "source_url"):
        yield Quote(advertised, "the advertisement through which they write")


def files(message: Holder, *, spoken: bool) -> tuple[Attachment, ...]:
    """The file of a message. `spoken`: a voice message is its sender's own speech."""
    found = _FILES.get(kind(message))
    file = part(message, kind(message))
    ref = words(file, "id")
    if found is None or not ref or (kind(message) == "sticker" and file.get("animated") is True):
        return ()
    mime = words(file, "mime_type")
    if kind(message) == "audio" and file.get("voice") is True and spoken:
        found = Media.VOICE
    if found is Media.FILE:
        kinds = {"image": Media.IMAGE, "video": Media.VIDEO, "audio": Media.AUDIO}
        found = kinds.get(mime.partition("/")[0].lower(), found)
    return (Attachment(found, words(file, "filename"), mime, 0, ref),)


def described(message: Holder) -> str:
    """A file in a word, for where it is only spoken of."""
    if kind(message) == "audio" and part(message, "audio").get("voice") is True:
        return "[a voice message]"
    names = {"image": "a photo", "video": "a video", "audio": "an audio file", "document": "a file"}
    named = names.get(kind(message))
    return f"[{named}]" if named else ""


def _pressed(message: Holder) -> Holder:
    interactive = part(message, "interactive")
    return part(interactive, "button_reply") or part(interactive, "list_reply")


def _card(card: Holder) -> Iterator[str]:
    yield from filter(
        None, (words(part(card, "name"), "formatted_name"), _lines(part(card, "org"), "company", "title"))
    )
    for phone in parts(card, "phones"):
        yield from filter(None, (words(phone, "phone") or words(phone, "wa_id"),))
    for mail in parts(card, "emails"):
        yield from filter(None, (words(mail, "email"),))
    for address in parts(card, "addresses"):
        yield from filter(None, (_lines(address, "street", "zip", "city", "country"),))
    for url in parts(card, "urls"):
        yield from filter(None, (words(url, "url"),))


def _lines(holder: Holder, *names: str) -> str:
    return "\n".join(filter(None, (words(holder, name) for name in names)))


def _article(named: str) -> str:
    named = " ".join(named.split())[:40]
    if not named or named == "unknown":
        return "a message"
    return f"an {named}" if named[0] in "aeiou" else f"a {named}"

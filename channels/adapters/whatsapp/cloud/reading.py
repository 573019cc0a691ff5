"""What Meta delivers, in the channel's own words. Pure; never raises, whatever is delivered.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components. A person is known by their number
(`wa_id`); who hides it, by a `user_id` that Meta gives each person towards a business:
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from channels.adapters.whatsapp.cloud import content
from channels.adapters.whatsapp.cloud.fields import Holder, number, part, parts, words
from channels.types import Address, Attachment, Inbound, Quote, Sender, Whose

NumberOf = Callable[[str], str]
"""The number that belongs to a `user_id`, as it was told earlier; "" where it never was."""

_LONGEST_NAME = 60
_UNKNOWN_WORDS = "[a message that is no longer remembered here]"


@dataclass(frozen=True, slots=True)
class Said:
    """An earlier message, as it is remembered for those that answer it. `whose` are its words."""

    whose: Whose
    text: str
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as it was delivered. `message` is its newest version, `edits` the id of the one that it replaces."""

    id: str
    at: datetime
    chat: str
    group: bool
    sender: Sender
    user_id: str
    """Meta's other name for the sender, "" where it gave none."""
    message: Holder
    edits: str
    answers: str
    """The id of the message that it answers."""
    answers_whose: Whose


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a message of ours. `tracker` is what we had sent along with it; `code` an error's, 0 for none."""

    ref: str
    state: str
    chat: str
    tracker: str = ""
    code: int = 0
    said: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody has a new number."""

    old: str
    new: str
    name: str


@dataclass(frozen=True, slots=True)
class Delivery:
    arrivals: tuple[Arrival, ...] = ()
    statuses: tuple[Status, ...] = ()
    moves: tuple[Move, ...] = ()
    elsewhere: tuple[str, ...] = ()
    """Ids of other numbers for which something was delivered too."""


def read(payload: object, phone_number_id: str, number_of: NumberOf) -> Delivery:
    """All that one delivery says about this number; messages in the order in which they were written."""
    delivered = [(words(part(value, "metadata"), "phone_number_id"), value) for value in _values(payload)]
    values = [value for number_id, value in delivered if number_id == phone_number_id]
    found = [one for value in values for one in _arrivals(value, number_of)]
    return Delivery(
        tuple(sorted(found, key=lambda one: one.at)),
        tuple(one for value in values for one in _statuses(value)),
        tuple(one for value in values for one in _moves(value)),
        tuple(number_id for number_id, _ in delivered if number_id != phone_number_id),
    )


def to_inbound(arrival: Arrival, answered: Said | None) -> Inbound | None:
    """A message as the bot reads it; None for what nobody wrote to be read. `answered`: what it answers, if known."""
    message = arrival.message
    if content.silent(message):
        return None
    foreign = content.forwarded(message)
    text = content.written(message)
    quotes = tuple(_quotes(arrival, answered, text if foreign else ""))
    attached = content.files(message, spoken=not foreign)
    if answered is not None and answered.whose is not Whose.BOT:
        attached += answered.files
    return Inbound(
        key=arrival.id,
        address=Address("whatsapp", arrival.chat),
        sender=arrival.sender,
        text="\n\n".join(filter(None, ("" if foreign else text, content.told(message)))),
        at=arrival.at,
        private=not arrival.group,
        addressed=not arrival.group or arrival.answers_whose is Whose.BOT,
        ref=arrival.edits or arrival.id,
        attachments=attached,
        quotes=quotes,
        edits=arrival.edits,
    )


def remembered(arrival: Arrival) -> Said:
    """A message, as it is remembered for those that answer it."""
    message = arrival.message
    whose = Whose.OTHER if content.forwarded(message) or arrival.group else Whose.SENDER
    text = content.written(message) or content.told(message) or content.described(message)
    return Said(whose, text, content.files(message, spoken=False))


def _quotes(arrival: Arrival, answered: Said | None, passed_on: str) -> Iterator[Quote]:
    if arrival.answers and not content.pressed(arrival.message):
        said = answered or Said(arrival.answers_whose, _UNKNOWN_WORDS)
        owner = {
            Whose.BOT: "the bot's own message",
            Whose.SENDER: "their own earlier message",
            Whose.OTHER: "somebody else's message",
        }[said.whose]
        yield Quote(said.text, f"{owner}, which this answers", said.whose, arrival.answers)
    if passed_on:
        yield Quote(passed_on, "a forwarded message")
    yield from content.passed_on(arrival.message)


def _values(payload: object) -> Iterator[Holder]:
    if isinstance(payload, dict) and payload.get("object") == "whatsapp_business_account":
        for entry in parts(payload, "entry"):
            for change in parts(entry, "changes"):
                if words(change, "field") == "messages":
                    yield part(change, "value")


def _arrivals(value: Holder, number_of: NumberOf) -> Iterator[Arrival]:
    contacts = parts(value, "contacts")
    me = digits(words(part(value, "metadata"), "display_phone_number"))
    for message in parts(value, "messages"):
        writer, user_id = digits(words(message, "from")), words(message, "from_user_id")
        contact = _contact(contacts, writer, user_id)
        user_id = user_id or words(contact, "user_id")
        person = writer or digits(words(contact, "wa_id")) or number_of(user_id) or user_id
        if not person or not words(message, "id") or content.kind(message) == "system":
            continue
        group = words(message, "group_id")
        edit = part(message, "edit")
        inner = part(edit, "message") if content.kind(message) == "edit" else message
        context = part(inner, "context") or part(message, "context")
        yield Arrival(
            id=words(message, "id"),
            at=_at(message),
            chat=group or person,
            group=bool(group),
            sender=Sender(person, _name(contact)),
            user_id=user_id,
            message=inner,
            edits=words(edit, "original_message_id") if content.kind(message) == "edit" else "",
            answers=words(context, "id"),
            answers_whose=_whose(context, me, writer, user_id),
        )


def _statuses(value: Holder) -> Iterator[Status]:
    for status in parts(value, "statuses"):
        errors = parts(status, "errors") or [{}]
        chat = words(status, "group_id") or digits(words(status, "recipient_id"))
        if words(status, "id"):
            yield Status(
                words(status, "id"),
                words(status, "status").lower(),
                chat or words(status, "recipient_user_id"),
                words(status, "biz_opaque_callback_data"),
                int(number(errors[0], "code")),
                error_words(errors[0]),
            )


def _moves(value: Holder) -> Iterator[Move]:
    for message in parts(value, "messages"):
        system = part(message, "system")
        new = digits(words(system, "wa_id") or words(system, "new_wa_id"))
        old = digits(words(system, "customer") or words(message, "from"))
        if words(system, "type").endswith("changed_number") and new and old and new != old:
            yield Move(old, new, _name(_contact(parts(value, "contacts"), old, "")))


def error_words(error: Holder) -> str:
    """What Meta says of an error, in one line."""
    details = words(part(error, "error_data"), "details")
    return " ".join((details or words(error, "message") or words(error, "title")).split())[:200]


def digits(text: str) -> str:
    """A number's digits, however it is written; "" where it is none."""
    bare = re.sub(r"[^0-9]", "", text)
    return bare if bare and not re.search(r"[A-Za-z]", text) else ""


def _contact(contacts: Sequence[Holder], writer: str, user_id: str) -> Holder:
    for contact in contacts:
        if (writer and digits(words(contact, "wa_id")) == writer) or (
            user_id and words(contact, "user_id") == user_id
        ):
            return contact
    return contacts[0] if len(contacts) == 1 else {}


def _name(contact: Holder) -> str:
    return " ".join(words(part(contact, "profile"), "name").split())[:_LONGEST_NAME]


def _whose(context: Holder, me: str, writer: str, user_id: str) -> Whose:
    author = words(context, "from")
    if author and digits(author) == me != "":
        return Whose.BOT
    if author and (digits(author) == writer != "" or author == user_id):
        return Whose.SENDER
    return Whose.OTHER


def _at(message: Holder) -> datetime:
    try:
        return datetime.fromtimestamp(number(message, "timestamp"), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)

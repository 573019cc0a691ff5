"""Every kind of message that Meta delivers, as the bot reads it; and whatever else is delivered does no harm."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapters.whatsapp.cloud.reading import Arrival, Delivery, Said, Status, read, to_inbound
from channels.types import Attachment, Inbound, Media, Quote, Whose
from tests.fakes.whatsapp_deliveries import (
    NUMBER,
    PHONE_NUMBER_ID,
    contact,
    delivery,
    failure,
    message,
    status,
    user_id,
)

ANN = "16505551234"
FILE = {
    "mime_type": "image/jpeg",
    "sha256": "SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=",
    "id": "1003383421387256",
}


def nobody(_user_id: str) -> str:
    return ""


def arrival(payload: object) -> Arrival:
    (one,) = read(payload, PHONE_NUMBER_ID, nobody).arrivals
    return one


def inbound(kind: str, content: Any, answered: Said | None = None, **more: Any) -> Inbound | None:
    return to_inbound(arrival(message(ANN, "wamid.1", kind, content, **more)), answered)


def test_a_text_of_a_known_number() -> None:
    payload = message(
        ANN, "wamid.1", "text", {"body": "Does it come in another color?"}, timestamp="1749416383"
    )
    found = to_inbound(arrival(payload), None)
    assert found is not None
    assert (found.key, found.ref, found.text) == ("wamid.1", "wamid.1", "Does it come in another color?")
    assert (str(found.address), found.sender.id, found.sender.name) == (f"whatsapp:{ANN}", ANN, "Ann")
    assert found.at == datetime(2025, 6, 8, 20, 59, 43, tzinfo=UTC)
    assert (found.private, found.addressed, found.quotes, found.attachments) == (True, True, (), ())


@pytest.mark.parametrize(
    ("kind", "content", "text", "attached"),
    [
        ("image", {**FILE, "caption": "Taj Mahal"}, "Taj Mahal", (Media.IMAGE, "", "image/jpeg")),
        ("video", {**FILE, "mime_type": "video/mp4"}, "", (Media.VIDEO, "", "video/mp4")),
        ("audio", {**FILE, "mime_type": "audio/mpeg", "voice": False}, "", (Media.AUDIO, "", "audio/mpeg")),
        (
            "audio",
            {**FILE, "mime_type": "audio/ogg; codecs=opus", "voice": True},
            "",
            (Media.VOICE, "", "audio/ogg; codecs=opus"),
        ),
        (
            "document",
            {**FILE, "mime_type": "application/pdf", "filename": "a.pdf", "caption": "read it"},
            "read it",
            (Media.FILE, "a.pdf", "application/pdf"),
        ),
        ("document", {**FILE, "filename": "a.jpg"}, "", (Media.IMAGE, "a.jpg", "image/jpeg")),
        (
            "sticker",
            {**FILE, "mime_type": "image/webp", "animated": False},
            "[a sticker]",
            (Media.IMAGE, "", "image/webp"),
        ),
        ("sticker", {**FILE, "mime_type": "image/webp", "animated": True}, "[a sticker]", None),
    ],
)
def test_files(kind: str, content: Any, text: str, attached: tuple[Media, str, str] | None) -> None:
    found = inbound(kind, content)
    assert found is not None
    assert found.text == text
    expected = () if attached is None else (Attachment(*attached, 0, "1003383421387256"),)
    assert found.attachments == expected


@pytest.mark.parametrize(
    ("kind", "content", "text", "quotes"),
    [
        ("button", {"payload": "Unsubscribe", "text": "Stop it"}, "Stop it", []),
        (
            "interactive",
            {"type": "button_reply", "button_reply": {"id": "/deny 7", "title": "No"}},
            "/deny 7",
            [],
        ),
        ("interactive", {"type": "list_reply", "list_reply": {"id": "3", "title": "Three"}}, "3", []),
        (
            "interactive",
            {"type": "nfm_reply", "nfm_reply": {"response_json": "{}"}},
            "[a filled-in form, which can't be read here]",
            [],
        ),
        (
            "location",
            {
                "latitude": 37.44221496582,
                "longitude": -122.16165924072,
                "name": "Philz",
                "address": "101 Forest Ave",
            },
            "[a location: 37.442215, -122.161659]",
            [Quote("Philz\n101 Forest Ave", "the place that they share")],
        ),
        ("location", {"latitude": 1, "longitude": 2}, "[a location: 1.000000, 2.000000]", []),
        (
            "contacts",
            [
                {
                    "name": {"formatted_name": "Lucía Gómez"},
                    "org": {"company": "Google"},
                    "phones": [{"phone": "+1 (983) 555-2319", "wa_id": "19835552319"}],
                    "emails": [{"email": "l@example.org"}],
                }
            ],
            "[a contact]",
            [Quote("Lucía Gómez\nGoogle\n+1 (983) 555-2319\nl@example.org", "the contact that they share")],
        ),
        (
            "order",
            {
                "catalog_id": "1",
                "text": "please",
                "product_items": [{"product_retailer_id": "di9", "quantity": 2}],
            },
            "please\n\n[an order of 1 things]",
            [Quote("2 x di9", "what they order")],
        ),
        ("unsupported", {"type": "edit"}, "[an edit, which WhatsApp does not pass on to businesses]", []),
        ("unsupported", {"type": "poll"}, "[a poll, which WhatsApp does not pass on to businesses]", []),
        ("unknown", {}, "[a message, which WhatsApp does not pass on to businesses]", []),
        ("hologram", {}, "[a message of a kind that is not known here: hologram]", []),
    ],
)
def test_what_is_no_file(kind: str, content: Any, text: str, quotes: list[Quote]) -> None:
    found = inbound(kind, content)
    assert found is not None
    assert found.text == text
    assert list(found.quotes) == quotes


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("reaction", {"message_id": "wamid.0", "emoji": "👍"}),
        ("revoke", {"original_message_id": "wamid.0"}),
        ("request_welcome", {}),
    ],
)
def test_what_nobody_wrote_to_be_read_is_no_message(kind: str, content: Any) -> None:
    assert inbound(kind, content) is None


def test_a_press_quotes_nothing() -> None:
    content = {"type": "button_reply", "button_reply": {"id": "/approve 7", "title": "Yes"}}
    found = inbound("interactive", content, context={"from": NUMBER, "id": "wamid.0"})
    assert found is not None
    assert (found.text, found.quotes) == ("/approve 7", ())


@pytest.mark.parametrize("flag", ["forwarded", "frequently_forwarded"])
def test_what_is_forwarded_is_nobodys_own(flag: str) -> None:
    text = inbound("text", {"body": "/new"}, context={flag: True})
    assert text is not None
    assert (text.text, text.quotes) == ("", (Quote("/new", "a forwarded message", Whose.OTHER),))

    voice = inbound("audio", {**FILE, "voice": True}, context={flag: True})
    assert voice is not None
    assert voice.attachments[0].kind is Media.AUDIO


@pytest.mark.parametrize(
    ("writer", "said", "quote"),
    [
        (
            NUMBER,
            Said(Whose.BOT, "Buy milk?"),
            Quote("Buy milk?", "the bot's own message, which this answers", Whose.BOT, "wamid.0"),
        ),
        (
            ANN,
            Said(Whose.SENDER, "Buy milk"),
            Quote("Buy milk", "their own earlier message, which this answers", Whose.SENDER, "wamid.0"),
        ),
        (
            ANN,
            Said(Whose.OTHER, "Buy milk"),
            Quote("Buy milk", "somebody else's message, which this answers", Whose.OTHER, "wamid.0"),
        ),
        (
            NUMBER,
            None,
            Quote(
                "[a message that is no longer remembered here]",
                "the bot's own message, which this answers",
                Whose.BOT,
                "wamid.0",
            ),
        ),
    ],
)
def test_a_reply_knows_what_it_answers(writer: str, said: Said | None, quote: Quote) -> None:
    found = inbound("text", {"body": "yes"}, said, context={"from": writer, "id": "wamid.0"})
    assert found is not None
    assert (found.text, found.quotes) == ("yes", (quote,))


def test_the_file_of_what_is_answered_comes_along_unless_it_is_the_bots() -> None:
    file = Attachment(Media.IMAGE, "", "image/jpeg", 0, "7")
    context = {"from": ANN, "id": "wamid.0"}
    own = inbound("text", {"body": "what is this?"}, Said(Whose.SENDER, "", (file,)), context=context)
    bots = inbound("text", {"body": "what is this?"}, Said(Whose.BOT, "", (file,)), context=context)
    assert own is not None
    assert bots is not None
    assert (own.attachments, bots.attachments) == ((file,), ())


def test_an_edit_replaces_what_it_edits() -> None:
    inner = {"type": "text", "text": {"body": "2+4?"}, "context": {}}
    edit = {"original_message_id": "wamid.0", "message": inner}
    found = inbound("edit", edit)
    assert found is not None
    assert (found.key, found.text, found.edits, found.ref) == ("wamid.1", "2+4?", "wamid.0", "wamid.0")


def test_a_group_is_not_private_and_calls_the_bot_by_a_reply() -> None:
    plain = inbound("text", {"body": "hi"}, group_id="Y2FwaV9ncm91cDox")
    reply = inbound(
        "text", {"body": "hi"}, group_id="Y2FwaV9ncm91cDox", context={"from": NUMBER, "id": "wamid.0"}
    )
    assert plain is not None
    assert reply is not None
    assert (plain.private, plain.addressed, plain.address.chat) == (False, False, "Y2FwaV9ncm91cDox")
    assert (reply.addressed, reply.sender.id) == (True, ANN)


def test_an_advertisement_is_somebody_elses_words() -> None:
    found = inbound("text", {"body": "hi"}, referral={"headline": "Chat with us", "body": "Succulents!"})
    assert found is not None
    assert found.quotes == (Quote("Chat with us\nSucculents!", "the advertisement through which they write"),)


# Who it is


def test_the_examples_of_before_2026_know_no_user_id() -> None:
    body = {"from": ANN, "id": "wamid.1", "timestamp": "1749416383", "type": "text", "text": {"body": "hi"}}
    old = delivery(contacts=[{"profile": {"name": "Sheena Nelson"}, "wa_id": ANN}], messages=[body])
    assert arrival(old).sender.name == "Sheena Nelson"
    assert arrival(delivery(messages=[body])).sender.id == ANN


def test_who_hides_the_number_is_known_by_it_if_it_was_ever_told() -> None:
    body = {"from_user_id": "US.7", "id": "wamid.1", "timestamp": "1", "type": "text", "text": {"body": "hi"}}
    hidden = delivery(contacts=[{"profile": {"name": "Ann"}, "user_id": "US.7"}], messages=[body])
    for number_of, expected in ((nobody, "US.7"), ({"US.7": ANN}.get, ANN)):
        (one,) = read(hidden, PHONE_NUMBER_ID, lambda one: number_of(one) or "").arrivals  # noqa: B023 -- called at once
        assert (one.sender.id, one.chat, one.sender.name) == (expected, expected, "Ann")


def test_names_are_found_by_number_among_several() -> None:
    people = [contact("491511", "Bob"), contact(ANN, "Ann \n B. ")]
    body = {"from": ANN, "id": "wamid.1", "timestamp": "1", "type": "text", "text": {"body": "hi"}}
    assert arrival(delivery(contacts=people, messages=[body])).sender.name == "Ann B."


def test_a_change_of_number_is_no_message() -> None:
    system = {"body": "User A changed from 16505551234 to 12195555358", "wa_id": "12195555358"}
    body = {"from": ANN, "id": "wamid.1", "timestamp": "1750269342", "type": "system"}
    found = read(
        delivery(messages=[{**body, "system": {**system, "type": "user_changed_number"}}]),
        PHONE_NUMBER_ID,
        nobody,
    )
    assert found.arrivals == ()
    assert [(move.old, move.new) for move in found.moves] == [(ANN, "12195555358")]


# Statuses, and many at once


def test_statuses() -> None:
    late = status(
        ANN, "wamid.9", "failed", **failure(131047, details="24 hours"), biz_opaque_callback_data="r-7"
    )
    found = read(late, PHONE_NUMBER_ID, nobody)
    assert found.statuses == (Status("wamid.9", "failed", ANN, "r-7", 131047, "24 hours"),)
    bare = delivery(statuses=[{"id": "wamid.9", "status": "delivered"}])
    assert read(bare, PHONE_NUMBER_ID, nobody).statuses == (Status("wamid.9", "delivered", ""),)


def test_a_batch_is_put_into_the_order_of_writing() -> None:
    bodies = [
        {"from": ANN, "id": f"wamid.{at}", "timestamp": str(at), "type": "text", "text": {"body": str(at)}}
        for at in (3, 1, 2)
    ]
    found = read(delivery(contacts=[contact(ANN)], messages=bodies), PHONE_NUMBER_ID, nobody)
    assert [one.id for one in found.arrivals] == ["wamid.1", "wamid.2", "wamid.3"]


def test_what_is_for_another_number_is_left_alone() -> None:
    other = delivery(phone_number_id="1", messages=[{"from": ANN, "id": "wamid.1", "type": "text"}])
    assert read(other, PHONE_NUMBER_ID, nobody) == Delivery(elsewhere=("1",))
    assert read(delivery(field="account_update", event="X"), PHONE_NUMBER_ID, nobody) == Delivery()


def test_what_no_encoding_carries_is_replaced() -> None:
    found = inbound("text", {"body": "a\ud800b"})
    assert found is not None
    assert found.text == "a\ufffdb"


# Anything


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KINDS = st.sampled_from(
    [
        *(
            "text",
            "image",
            "video",
            "audio",
            "document",
            "sticker",
            "location",
            "contacts",
            "order",
            "button",
        ),
        *("interactive", "unsupported", "reaction", "system", "edit", "revoke"),
    ]
)


@given(
    KINDS,
    ANYTHING,
    st.dictionaries(st.sampled_from(["context", "from", "timestamp", "referral", "id"]), ANYTHING),
)
def test_no_message_can_break_it(kind: str, content: Any, more: dict[str, Any]) -> None:
    body = {"from": ANN, "id": "wamid.1", "timestamp": "1", "type": kind, kind: content, **more}
    for one in read(delivery(messages=[body], contacts=[content]), PHONE_NUMBER_ID, nobody).arrivals:
        found = to_inbound(one, None)
        assert found is None or (found.key and found.sender.id and isinstance(found.text, str))


@given(ANYTHING, st.lists(ANYTHING, max_size=2))
def test_no_delivery_can_break_it(payload: Any, more: list[Any]) -> None:
    assert read(payload, PHONE_NUMBER_ID, nobody) == Delivery()
    for wrong in (delivery(messages=payload), delivery(statuses=more, messages=more, contacts=payload)):
        read(wrong, PHONE_NUMBER_ID, nobody)
    assert user_id(ANN)

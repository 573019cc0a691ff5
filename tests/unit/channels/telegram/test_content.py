"""Files, and what people share without writing it."""

from __future__ import annotations

from typing import Any

import pytest

from channels.types import Attachment, Media, Quote
from tests.unit.channels.telegram.test_inbound import ANN, edited, read

PDF, MP3, PNG = "application/pdf", "audio/mpeg", "image/png"
FILE = {"file_id": "f", "file_unique_id": "u", "file_size": 7}
SIDES = {"width": 1, "height": 1}
PLACE = {"latitude": 52.52, "longitude": 13.405}
OTHER = {"id": 8, "is_bot": False, "first_name": "Bob"}
FROM_BOB = {"type": "user", "date": 1, "sender_user": OTHER}


def attached(**fields: Any) -> Attachment:
    found = read(**fields)
    assert found is not None
    assert found.text == fields.get("caption", "")
    (attachment,) = found.attachments
    return attachment


def test_of_a_photo_the_largest_size_counts() -> None:
    sizes = [{**FILE, "file_id": f"f{side}", "width": side, "height": side} for side in (90, 1280, 320)]

    assert attached(photo=sizes, caption="look") == Attachment(Media.IMAGE, "", "image/jpeg", 7, "f1280")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"document": {**FILE, "file_name": "a.pdf", "mime_type": PDF}}, (Media.FILE, "a.pdf", PDF)),
        ({"document": {**FILE, "file_name": "a.png", "mime_type": PNG}}, (Media.IMAGE, "a.png", PNG)),
        ({"document": FILE}, (Media.FILE, "", "")),
        ({"voice": {**FILE, "duration": 3}}, (Media.VOICE, "", "audio/ogg")),
        ({"audio": {**FILE, "duration": 3, "file_name": "a.mp3", "mime_type": MP3}}, (Media.AUDIO, "a.mp3", MP3)),
        ({"video": {**FILE, **SIDES, "duration": 3}}, (Media.VIDEO, "", "video/mp4")),
        ({"video_note": {**FILE, "length": 1, "duration": 3}}, (Media.VIDEO, "", "video/mp4")),
        ({"animation": {**FILE, **SIDES, "duration": 1}, "document": FILE}, (Media.VIDEO, "", "video/mp4")),
    ],
)  # fmt: skip
def test_each_kind_of_file(fields: dict[str, Any], expected: tuple[Media, str, str]) -> None:
    found = attached(**fields)

    assert (found.kind, found.name, found.mime) == expected
    assert (found.size, found.ref, found.content) == (7, "f", b"")


def test_somebody_elses_speech_is_a_recording_and_no_words_of_the_sender() -> None:
    found = attached(voice={**FILE, "duration": 3}, forward_origin=FROM_BOB)

    assert found.kind is Media.AUDIO


@pytest.mark.parametrize(
    ("fields", "text", "quotes"),
    [
        ({"location": PLACE}, "[a location: 52.520000, 13.405000]", ()),
        (
            {"venue": {"location": PLACE, "title": "Cafe\nRed", "address": "Mill 3"}, "location": PLACE},
            "[a location: 52.520000, 13.405000]",
            (Quote("Cafe\nRed\nMill 3", "the place that they share"),),
        ),
        (
            {
                "contact": {
                    "phone_number": "+491",
                    "first_name": "Bob",
                    "last_name": "Ba",
                    "vcard": "BEGIN:VCARD",
                }
            },
            "[a contact]",
            (Quote("Bob Ba\n+491\nBEGIN:VCARD", "the contact that they share"),),
        ),
        ({"dice": {"emoji": "🎲", "value": 4}}, "[🎲 shows 4]", ()),
        (
            {
                "sticker": {
                    **FILE,
                    **SIDES,
                    "type": "regular",
                    "is_animated": False,
                    "is_video": False,
                    "emoji": "😀",
                }
            },
            "[a sticker: 😀]",
            (),
        ),
        (
            {
                "poll": {
                    "id": "1",
                    "question": "When?",
                    "options": [
                        {"text": "now", "voter_count": 0, "persistent_id": "1"},
                        {"text": "later", "voter_count": 0, "persistent_id": "2"},
                    ],
                    "total_voter_count": 0,
                    "is_closed": False,
                    "is_anonymous": True,
                    "type": "regular",
                    "allows_multiple_answers": False,
                    "allows_revoting": True,
                    "members_only": False,
                }
            },
            "[a poll: When?]\n- now\n- later",
            (),
        ),
        ({"story": {"id": 1, "chat": {"id": 7, "type": "private"}}}, "[a story, which bots can't open]", ()),
    ],
)
def test_what_is_shared_is_told_in_words(fields: dict[str, Any], text: str, quotes: Any) -> None:
    found = read(**fields)

    assert found is not None
    assert (found.text, found.quotes, found.attachments) == (text, quotes, ())


def test_a_forwarded_place_is_somebody_elses() -> None:
    found = read(location=PLACE, forward_origin=FROM_BOB)

    assert found is not None
    assert found.text == ""
    assert [quote.text for quote in found.quotes] == ["[a location: 52.520000, 13.405000]"]


def test_a_file_in_an_edit_stays() -> None:
    found = edited(document=FILE, caption="better")

    assert found is not None
    assert found.sender.id == str(ANN["id"])
    assert [file.ref for file in found.attachments] == ["f"]

"""What a message holds beside its text: names that harm nobody, lines that a model reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.gateway import parts
from bot.gateway.parts import Arrival
from channels.types import Attachment, Media


@pytest.mark.parametrize(
    ("name", "mime", "safe"),
    [
        ("../../etc/passwd", "", "passwd"),
        ("C:\\Users\\ann\\Bill March.PDF", "application/pdf", "Bill_March.pdf"),
        (".bashrc", "", "bashrc"),
        ("a\nb.txt", "text/plain", "a_b.txt"),
        ("", "image/png", "image.png"),
        ("…", "", "image"),
        ("résumé.odt", "", "résumé.odt"),
        ("x" * 300 + ".txt", "", "x" * 160 + ".txt"),
        ("run.sh; rm -rf", "", "run.shrmrf"),
    ],
)
def test_a_file_gets_a_name_that_harms_nobody(name: str, mime: str, safe: str) -> None:
    assert parts.safe_name(Arrival(Media.IMAGE, name, mime), 0) == safe


@given(st.text(max_size=200), st.text(max_size=40), st.integers(0, 50))
@example("\U0001d40d" * 90 + ".pages", "", 11)
def test_no_name_leads_anywhere(name: str, mime: str, number: int) -> None:
    safe = parts.safe_name(Arrival(Media.FILE, name, mime), number)
    assert safe
    assert len(safe.encode()) <= 200  # file systems take 255, and a partial file is called longer
    assert PurePosixPath(safe).name == safe
    assert not safe.startswith(".")
    assert "\0" not in safe
    assert safe.isprintable()


def test_the_same_message_has_the_same_folder_and_another_another() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    one = parts.folder("ann", "42:7", at)
    assert one == parts.folder("ann", "42:7", at)
    assert one != parts.folder("ann", "42:8", at)
    assert one.parts[:2] == ("inbox", "ann")


def test_a_row_gives_back_what_it_was_made_from() -> None:
    one = Arrival(Media.VOICE, "note.oga", "audio/ogg", 404, "ref", "inbox/ann/x", heard="hi", by="tiny")
    assert Arrival.of(one.row()) == one
    assert Arrival.of({**one.row(), "new_in_a_later_version": 1}) == one


@pytest.mark.parametrize(
    ("one", "still"),
    [
        (Arrival(Media.FILE), True),
        (Arrival(Media.FILE, path="inbox/a"), False),
        (Arrival(Media.FILE, error="gone"), False),
        (Arrival(Media.VOICE, path="inbox/a"), True),
        (Arrival(Media.VOICE, path="inbox/a", heard="hi", by="tiny"), False),
        (Arrival(Media.VOICE, path="inbox/a", error="nobody hears"), False),
        (Arrival(Media.AUDIO, path="inbox/a"), False),
    ],
)
def test_what_is_still_to_be_done_about_a_file(one: Arrival, still: bool) -> None:
    assert one.open is still


def test_a_type_with_parameters_is_its_type_alone() -> None:
    attachment = Attachment(Media.FILE, "a.txt", "Text/Plain; charset=utf-8")
    assert parts.arrival(attachment).mime == "text/plain"
    assert parts.arrival(Attachment(Media.FILE, "a.pdf")).mime == "application/pdf"

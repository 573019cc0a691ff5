"""What the bot understands of a message: by whom, where, to whom, and what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telegram import Update, User

from channels.adapters.telegram.inbound import to_inbound
from channels.types import Address, Inbound, Sender
from tests.fakes.telegram_api.entities import FormattedText, found_by_server

ME = User(4242, "Nano", True, username="Nano_Bot")
ANN = {"id": 7, "is_bot": False, "first_name": "Ann", "last_name": "Ba"}
PRIVATE = {"id": 7, "type": "private", "first_name": "Ann"}
GROUP = {"id": -100, "type": "supergroup", "title": "Home"}
MINE = {"message_id": 1, "date": 0, "chat": GROUP, "from": ME.to_dict(), "text": "yes?"}


def read(*, everything: bool = False, **fields: Any) -> Inbound | None:
    message: dict[str, Any] = {"message_id": 5, "date": 1_700_000_000, "chat": PRIVATE, "from": ANN, **fields}
    if "text" in message and "entities" not in message:
        message["entities"] = found_by_server(FormattedText(message["text"])).entities_json()
    return to_inbound(Update.de_json({"update_id": 1, "message": message}, None), ME, everything=everything)


def in_group(text: str, **fields: Any) -> tuple[str, bool]:
    found = read(chat=GROUP, text=text, **fields)
    assert found is not None
    assert not found.private
    return found.text, found.addressed


def test_a_private_message() -> None:
    assert read(text="Hello, @nano_bot_fan") == Inbound(
        key="7:5",
        address=Address("telegram", "7"),
        sender=Sender("7", "Ann Ba"),
        text="Hello, @nano_bot_fan",
        at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        ref="5",
    )


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("@nano_bot what time is it?", "what time is it?"),
        ("@Nano_Bot, what time is it?", "what time is it?"),
        ("what time is it, @nano_bot?", "what time is it,?"),
        ("so @nano_bot what time is it", "so what time is it"),
        ("🚀🚀 @nano_bot go", "🚀🚀 go"),
        ("one\n@nano_bot two", "one\ntwo"),
        ("@nano_bot", "@nano_bot"),
        ("@nano_bot @nano_bot hi", "hi"),
    ],
)
def test_a_mention_in_a_group_addresses_and_is_left_out(text: str, understood: str) -> None:
    assert in_group(text) == (understood, True)


def test_other_talk_in_a_group_is_not_for_the_bot() -> None:
    assert in_group("hello everybody") == ("hello everybody", False)
    assert in_group("@somebody_else hi") == ("@somebody_else hi", False)
    assert in_group("mail me@nano_bot.org") == ("mail me@nano_bot.org", False)


def test_a_reply_to_the_bot_addresses_it() -> None:
    other = {**MINE, "from": ANN}

    assert in_group("and now?", reply_to_message=MINE) == ("and now?", True)
    assert in_group("and now?", reply_to_message=other) == ("and now?", False)


def test_where_a_link_leads_is_read_though_its_label_does_not_say_it() -> None:
    label = {"type": "text_link", "offset": 9, "length": 4, "url": "https://e.org/a"}
    itself = {"type": "text_link", "offset": 14, "length": 5, "url": "https://e.org/"}
    mention = {"type": "mention", "offset": 20, "length": 9}

    text, _ = in_group("🚀🚀 see here e.org @nano_bot", entities=[label, itself, mention])

    assert text == "🚀🚀 see here e.org\n\n[“here” leads to https://e.org/a]"


def test_a_mention_by_name_addresses() -> None:
    entity = {"type": "text_mention", "offset": 0, "length": 4, "user": ME.to_dict()}

    assert in_group("Nano help me", entities=[entity]) == ("help me", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/new", ("/new", True)),
        ("/new@nano_bot", ("/new", True)),
        ("/model@NANO_BOT gpt", ("/model gpt", True)),
        ("/new@other_bot", ("/new@other_bot", False)),
        ("/new@other_bot @nano_bot", ("/new@other_bot @nano_bot", False)),
        ("see /new", ("see /new", False)),
    ],
)
def test_commands_in_groups(text: str, expected: tuple[str, bool]) -> None:
    assert in_group(text) == expected


def test_a_command_for_another_bot_is_not_ours_even_in_a_reply() -> None:
    assert in_group("/new@other_bot", reply_to_message=MINE) == ("/new@other_bot", False)


def test_a_command_in_private_needs_no_name() -> None:
    found = read(text="/stop@nano_bot now")

    assert found is not None
    assert (found.text, found.addressed) == ("/stop now", True)


def test_a_forum_topic_is_its_own_conversation() -> None:
    opened = {**MINE, "forum_topic_created": {"name": "x", "icon_color": 1}}
    topic: dict[str, Any] = {"message_thread_id": 9, "is_topic_message": True}

    found = read(chat=GROUP, text="hi", reply_to_message=opened, **topic)

    assert found is not None
    assert found.address == Address("telegram", "-100", "9")
    assert not found.addressed


def test_a_thread_of_replies_is_no_topic() -> None:
    found = read(chat=GROUP, text="hi", message_thread_id=9)

    assert found is not None
    assert found.address == Address("telegram", "-100")


PHOTO = [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]


def test_a_mention_in_a_caption_addresses() -> None:
    mention = {"type": "mention", "offset": 0, "length": 9}
    found = read(chat=GROUP, photo=PHOTO, caption="@nano_bot look", caption_entities=[mention])

    assert found is not None
    assert found.addressed
    assert found.text == "look"


def test_with_everything_all_talk_in_a_group_is_for_the_bot_but_not_what_is_for_another() -> None:
    assert in_group("hello everybody", everything=True) == ("hello everybody", True)
    assert in_group("@nano_bot hello", everything=True) == ("hello", True)
    assert in_group("/new@other_bot", everything=True) == ("/new@other_bot", False)


def test_more_is_expected_after_a_full_message_and_in_an_album() -> None:
    full, short = read(text="🚀" * 2000), read(text="🚀" * 1999)
    album = read(photo=PHOTO, media_group_id="1")

    assert full is not None
    assert full.more_follows
    assert short is not None
    assert not short.more_follows
    assert album is not None
    assert album.more_follows


@pytest.mark.parametrize(
    "fields",
    [
        {"new_chat_members": [ANN], "chat": GROUP},
        {"pinned_message": {**MINE, "date": 1}, "chat": GROUP},
        {"text": "hi", "from": {"id": 9, "is_bot": True, "first_name": "Bot"}},
        {"text": "hi", "chat": GROUP, "sender_chat": GROUP},
        {"text": "hi", "chat": {"id": -5, "type": "channel", "title": "News"}},
        {},
    ],
)
def test_what_nobody_wrote_to_be_read_is_nothing(fields: dict[str, Any]) -> None:
    assert read(**fields) is None


def test_other_updates_are_nothing() -> None:
    message = {"message_id": 5, "date": 1, "chat": PRIVATE, "from": ANN, "text": "hi"}

    assert to_inbound(Update.de_json({"update_id": 1, "channel_post": message}, None), ME) is None
    assert to_inbound(Update(1), ME) is None


# Edits


def edited(**fields: Any) -> Inbound | None:
    message = {
        "message_id": 5,
        "date": 1_700_000_000,
        "edit_date": 1_700_000_100,
        "chat": PRIVATE,
        "from": ANN,
    }
    return to_inbound(Update.de_json({"update_id": 1, "edited_message": {**message, **fields}}, None), ME)


def test_an_edit_is_a_newer_version_with_a_key_of_its_own() -> None:
    found, again, other = edited(text="hello"), edited(text="hello"), edited(text="hello!")

    assert found is not None
    assert again is not None
    assert other is not None
    assert (found.text, found.edits, found.ref) == ("hello", "5", "5")
    assert found.key == again.key, "it may be delivered twice"
    assert len({found.key, other.key, "7:5"}) == 3, "two edits may fall into one second"
    assert found.at == datetime(2023, 11, 14, 22, 15, tzinfo=UTC)


def test_an_edited_caption_brings_its_picture_again() -> None:
    found = edited(photo=PHOTO, caption="this one", media_group_id="1")

    assert found is not None
    assert (found.text, len(found.attachments), found.more_follows) == ("this one", 1, False)


def test_another_picture_is_an_edit_too() -> None:
    found = edited(photo=PHOTO)

    assert found is not None
    assert (found.text, len(found.attachments), found.edits) == ("", 1, "5")


def test_a_place_that_moves_is_no_edit() -> None:
    assert edited(location={"latitude": 1.0, "longitude": 2.0, "live_period": 900}) is None


# Invitations

BOT = ME.to_dict()
RIGHTS = dict.fromkeys(
    (
        "can_be_edited",
        "is_anonymous",
        "can_manage_chat",
        "can_delete_messages",
        "can_manage_video_chats",
        "can_restrict_members",
        "can_promote_members",
        "can_change_info",
        "can_invite_users",
        "can_post_stories",
        "can_edit_stories",
        "can_delete_stories",
    ),
    True,
)
LEFT = {"status": "left", "user": BOT}
KICKED = {"status": "kicked", "user": BOT, "until_date": 0}
MEMBER = {"status": "member", "user": BOT}
ADMINISTRATOR = {"status": "administrator", "user": BOT, **RIGHTS}


def membership(before: dict[str, Any], after: dict[str, Any], **fields: Any) -> Inbound | None:
    change = {
        "chat": GROUP,
        "from": ANN,
        "date": 1_700_000_000,
        "old_chat_member": before,
        "new_chat_member": after,
        **fields,
    }
    return to_inbound(Update.de_json({"update_id": 1, "my_chat_member": change}, None), ME)


@pytest.mark.parametrize("before", [LEFT, KICKED])
@pytest.mark.parametrize("after", [MEMBER, ADMINISTRATOR])
def test_who_brings_the_bot_into_a_group_invites_it(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = membership(before, after)

    assert found is not None
    assert (found.invites, found.private, found.addressed, found.text) == (True, False, True, "")
    assert (found.address, found.sender) == (Address("telegram", "-100"), Sender("7", "Ann Ba"))


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        (MEMBER, LEFT, {}),
        (MEMBER, KICKED, {}),
        (MEMBER, ADMINISTRATOR, {}),
        (KICKED, MEMBER, {"chat": PRIVATE}),
        (LEFT, MEMBER, {"from": {"id": 9, "is_bot": True, "first_name": "Group"}}),
        (LEFT, ADMINISTRATOR, {"chat": {"id": -5, "type": "channel", "title": "News"}}),
    ],
)
def test_other_changes_invite_nobody(before: Any, after: Any, fields: Any) -> None:
    assert membership(before, after, **fields) is None

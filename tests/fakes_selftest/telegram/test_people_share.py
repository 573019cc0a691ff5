"""Everything people can send and do fits the published schema, and the real client reads it."""

from __future__ import annotations

import pytest
from telegram import Bot

from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.people import Shares

from .conftest import CHAT

PLACE = {"latitude": 1.0, "longitude": 2.0}
USER = {"id": 8, "is_bot": False, "first_name": "Eve"}
OPTION = {"voter_count": 0, "persistent_id": "1"}
POLL = {
    "id": "1",
    "question": "When?",
    "options": [{**OPTION, "text": "now"}, {**OPTION, "persistent_id": "2", "text": "later"}],
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": True,
    "type": "regular",
    "allows_multiple_answers": False,
    "allows_revoting": True,
    "members_only": False,
}
SHARES: list[Shares] = [
    {"location": PLACE},
    {"venue": {"location": PLACE, "title": "Cafe", "address": "Mill 3"}},
    {"contact": {"phone_number": "+491", "first_name": "Bob"}},
    {"dice": {"emoji": "🎲", "value": 3}},
    {"poll": POLL},
]


@pytest.mark.parametrize("what", SHARES)
async def test_what_is_shared_without_a_file(tg: TelegramFake, bot: Bot, what: Shares) -> None:
    tg.user_shares(CHAT, what)
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert all(getattr(update.message, kind) is not None for kind in what)
    assert (update.message.location is not None) == ("venue" in what or "location" in what)


@pytest.mark.parametrize("kind", ["animation", "video_note", "sticker"])
async def test_files_of_the_other_kinds(tg: TelegramFake, bot: Bot, kind: str) -> None:
    tg.user_sends(CHAT, kind, b"data")
    (update,) = await bot.get_updates()
    assert update.message is not None
    sent = getattr(update.message, kind)
    assert bytes(await (await bot.get_file(sent.file_id)).download_as_bytearray()) == b"data"


async def test_forwards_quotes_and_replies_into_another_chat(tg: TelegramFake, bot: Bot) -> None:
    origin = {"type": "user", "date": 1_700_000_000, "sender_user": USER}
    tg.user_says(CHAT, "x", extra={"forward_origin": origin})
    tg.user_says(
        CHAT, "x", extra={"external_reply": {"origin": origin}, "quote": {"text": "y", "position": 0}}
    )
    tg.user_says(CHAT, "x", extra={"via_bot": {"id": 9, "is_bot": True, "first_name": "Gif"}})
    forward, quote, via = [update.message for update in await bot.get_updates()]
    assert forward is not None
    assert forward.forward_origin is not None
    assert quote is not None
    assert quote.external_reply is not None
    assert quote.quote is not None
    assert via is not None
    assert via.via_bot is not None


async def test_a_press_below_a_message_that_is_gone(tg: TelegramFake, bot: Bot) -> None:
    sent = await bot.send_message(CHAT, "x")
    tg.answers(CHAT)[0].deleted = True
    tg.user_presses(CHAT, sent.message_id, "yes")
    (update,) = await bot.get_updates()
    assert update.callback_query is not None
    assert not getattr(update.callback_query.message, "text", None)


async def test_of_a_photo_only_the_full_size_is_the_file_itself(tg: TelegramFake, bot: Bot) -> None:
    tg.user_sends(CHAT, "photo", b"data")
    (update,) = await bot.get_updates()
    assert update.message is not None
    small, large = update.message.photo
    assert small.file_id != large.file_id
    assert (await bot.get_file(large.file_id)).file_size == 4

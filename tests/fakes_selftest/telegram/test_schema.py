"""Requests and emitted objects against the published Bot API, as aiogram has it."""

from __future__ import annotations

import json

import httpx
import pytest
from telegram import Bot

from tests.fakes.telegram import TelegramFake
from tests.fakes.telegram_api.forms import Call
from tests.fakes.telegram_api.schema import Schema

from .conftest import CHAT

FORUM = -1002


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.load()


@pytest.mark.parametrize(
    ("method", "params", "complaint"),
    [
        ("sendMessage", {"chat_id": "1", "text": "x"}, ""),
        ("sendMessage", {"chat_id": 1, "text": "x", "disable_notification": True}, ""),
        ("sendMessage", {"chat_id": "1", "text": "x", "bogus": "1"}, "unknown key 'bogus'"),
        ("sendMessage", {"text": "x"}, "chat_id"),
        (
            "sendMessage",
            {"chat_id": "1", "text": "x", "reply_parameters": '{"message_id":"q"}'},
            "message_id",
        ),
        ("sendMessage", {"chat_id": "1", "text": "x", "message_thread_id": "ten"}, "message_thread_id"),
        ("sendChatMessage", {"chat_id": "1"}, "unknown method"),
    ],
)
def test_requests(schema: Schema, method: str, params: dict[str, object], complaint: str) -> None:
    found = "; ".join(schema.check_request(Call(method, params)))
    assert complaint in found if complaint else not found


def test_unknown_keys_are_found_at_any_depth(schema: Schema) -> None:
    chat = {"id": 1, "type": "private", "mood": "good"}
    message = {"message_id": 1, "date": 1_700_000_000, "chat": chat, "text": "x"}
    assert schema.check_object("Update", {"update_id": 1, "message": message}) == [
        "unknown key 'message.chat.mood'"
    ]


async def test_a_request_that_does_not_fit_is_refused_and_fails_the_test() -> None:
    fake = TelegramFake()
    with pytest.raises(AssertionError, match="sendMessage: unknown key 'parsemode'"):
        await send_with_a_wrong_parameter(fake)
    assert fake.chat(CHAT) == []


async def send_with_a_wrong_parameter(fake: TelegramFake) -> None:
    async with fake as tg, httpx.AsyncClient() as client:
        tg.add_chat(CHAT)
        params = {"chat_id": CHAT, "text": "x", "parsemode": "HTML"}
        response = await client.post(f"{tg.base_url}{tg.token}/sendMessage", json=params)
        assert response.json()["description"] == "Bad Request: SCHEMA unknown key 'parsemode'"


async def test_a_method_that_the_stand_in_lacks_is_a_complaint(tg: TelegramFake) -> None:
    async with httpx.AsyncClient() as client:
        for method in ("sendDice", "sendRubbish"):
            response = await client.get(f"{tg.base_url}{tg.token}/{method}")
            assert response.json() == {
                "ok": False,
                "error_code": 404,
                "description": "Not Found: method not found",
            }
    assert tg.complaints == ["sendDice: the stand-in has no such method, the Bot API has"]
    tg.complaints.clear()


async def test_everything_emitted_fits(tg: TelegramFake, bot: Bot, schema: Schema) -> None:
    await bot.get_updates(
        allowed_updates=["message_reaction", "message", "my_chat_member", "callback_query", "edited_message"]
    )
    sent = await bot.send_message(CHAT, "<b>x</b>", parse_mode="HTML")
    said = tg.user_says(CHAT, "/start @fake_bot #tag a@b.org", reply_to=sent.message_id)
    tg.user_edits(CHAT, said.message_id, "changed")
    tg.user_reacts(CHAT, said.message_id, "👍")
    tg.user_presses(CHAT, sent.message_id, "yes")
    tg.add_topic(FORUM, 10)
    tg.user_says(FORUM, "/x", thread_id=10, user_id=5)
    for kind in ("document", "photo", "voice", "audio", "video"):
        tg.user_sends(CHAT, kind, b"data", name="a.txt", caption="c")
    for status in ("administrator", "left", "member", "kicked"):
        tg.set_membership(FORUM, status)
    async with httpx.AsyncClient() as client:
        api = f"{tg.base_url}{tg.token}"
        updates = (await client.get(f"{api}/getUpdates")).json()["result"]
        chats = [
            (await client.get(f"{api}/getChat?chat_id={chat}")).json()["result"] for chat in (CHAT, FORUM)
        ]
        me = (await client.get(f"{api}/getMe")).json()["result"]
    assert len(updates) == 14
    found = [complaint for update in updates for complaint in schema.check_object("Update", update)]
    found += [complaint for chat in chats for complaint in schema.check_object("ChatFullInfo", chat)]
    found += schema.check_object("User", me)
    assert found == [], json.dumps(updates)
    assert tg.complaints == []

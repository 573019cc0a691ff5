"""Sending, editing, deleting and the errors about them, through python-telegram-bot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from telegram import (
    Bot,
    BotCommand,
    ChatMemberMember,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken
from telegram.request import HTTPXRequest

from tests.fakes.telegram import TelegramFake

from .conftest import CHAT, client_of

KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])


async def test_a_sent_message_is_in_the_chat(tg: TelegramFake, bot: Bot) -> None:
    sent = await bot.send_message(CHAT, "<b>Hi</b> &amp; bye", parse_mode="HTML")
    assert sent.text == "Hi & bye"
    assert sent.text_html == "<b>Hi</b> &amp; bye"
    (shown,) = tg.chat(CHAT)
    assert (shown.text, shown.from_bot, shown.parse_mode) == ("Hi & bye", True, "HTML")
    assert shown.entities == [{"type": "bold", "offset": 0, "length": 2}]
    (request,) = tg.calls("sendMessage")
    assert (request.ok, request.params["text"]) == (True, "<b>Hi</b> &amp; bye")


async def test_every_text_that_was_shown_is_remembered(tg: TelegramFake, bot: Bot) -> None:
    sent = await bot.send_message(CHAT, "one")
    await bot.edit_message_text("one two", CHAT, sent.message_id)
    edited = await bot.edit_message_text("*one* two", CHAT, sent.message_id, parse_mode="MarkdownV2")
    assert not isinstance(edited, bool)
    assert edited.edit_date is not None
    (shown,) = tg.chat(CHAT)
    assert [state.text for state in shown.history] == ["one", "one two", "one two"]
    assert [len(state.entities) for state in shown.history] == [0, 0, 1]
    assert [state.at for state in shown.history] == sorted(state.at for state in shown.history)


async def test_entities_can_be_given_instead_of_markup(tg: TelegramFake, bot: Bot) -> None:
    entities = [
        MessageEntity(MessageEntity.BOLD, 0, 2),
        MessageEntity(MessageEntity.TEXT_LINK, 3, 2, url="x.org"),
    ]
    sent = await bot.send_message(CHAT, "😀 ab", entities=entities)
    assert [(e.type, e.offset, e.length, e.url) for e in sent.entities] == [
        ("bold", 0, 2, None),
        ("text_link", 3, 2, "http://x.org/"),
    ]


async def test_the_length_is_counted_in_utf16_after_parsing(tg: TelegramFake, bot: Bot) -> None:
    await bot.send_message(CHAT, "<b>" + "x" * 4096 + "</b>", parse_mode="HTML")
    await bot.send_message(CHAT, "😀" * 2048)
    with pytest.raises(BadRequest, match="Message is too long"):
        await bot.send_message(CHAT, "😀" * 2048 + "x")
    with pytest.raises(BadRequest, match="Text is too long"):
        await bot.send_message(CHAT, "x" * 40_000)


async def test_spaces_around_a_text_are_cut(tg: TelegramFake, bot: Bot) -> None:
    assert (await bot.send_message(CHAT, "\n  a\tb \n")).text == "a b"


Action = Callable[[Bot, int], Awaitable[Any]]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda bot, _: bot.send_message(CHAT, ""), "Message text is empty"),
        (lambda bot, _: bot.send_message(CHAT, " \n "), "Text must be non-empty"),
        (lambda bot, _: bot.send_message(CHAT, "<b></b>", parse_mode="HTML"), "Text must be non-empty"),
        (lambda bot, _: bot.send_message(CHAT, "a.b", parse_mode="MarkdownV2"), "Can't parse entities"),
        (lambda bot, _: bot.send_message(CHAT, "<b>", parse_mode="HTML"), "Can't parse entities"),
        (lambda bot, _: bot.send_message(CHAT, "x", parse_mode="Word"), "Unsupported parse_mode"),
        (lambda bot, _: bot.send_message(999, "x"), "Chat not found"),
        (lambda bot, _: bot.send_message("@nobody", "x"), "Chat not found"),
        (lambda bot, _: bot.send_message(CHAT, "x", message_thread_id=7), "Message thread not found"),
        (
            lambda bot, _: bot.send_message(CHAT, "x", reply_to_message_id=999),
            "Message to be replied not found",
        ),
        (
            lambda bot, _: bot.send_message(CHAT, "x", entities=[MessageEntity("bold", 0, 5)]),
            "Entity beginning at utf-16 offset 0 ends after the end of the text at utf-16 offset 5",
        ),
        (
            lambda bot, _: bot.send_message(
                CHAT,
                "x",
                reply_markup=InlineKeyboardMarkup([[InlineKeyboardButton("a", callback_data="x" * 65)]]),
            ),
            "Button_data_invalid",
        ),
        (lambda bot, _: bot.edit_message_text("x", CHAT, 999), "Message to edit not found"),
        (
            lambda bot, mine: bot.edit_message_text("same", CHAT, mine),
            "Message is not modified: specified new",
        ),
        (lambda bot, mine: bot.edit_message_text("", CHAT, mine), "Message text is empty"),
        (lambda bot, mine: bot.edit_message_text("x" * 4097, CHAT, mine), "Message is too long"),
        (lambda bot, mine: bot.edit_message_text("x", CHAT, mine - 1), "Message can't be edited"),
        (lambda bot, mine: bot.edit_message_caption(CHAT, mine, caption="x"), "There is no caption"),
        (lambda bot, mine: bot.edit_message_reply_markup(CHAT, mine), "Message is not modified"),
        (lambda bot, _: bot.delete_message(CHAT, 999), "Message to delete not found"),
        (lambda bot, _: bot.set_message_reaction(CHAT, 999, "👍"), "Message to react not found"),
        (lambda bot, _: bot.send_chat_action(CHAT, "dance"), "Wrong parameter action in request"),
        (lambda bot, _: bot.answer_callback_query("1"), "Query is too old"),
        (lambda bot, _: bot.get_file("nope"), "Invalid file_id"),
        (lambda bot, _: bot.get_chat(999), "Chat not found"),
        (lambda bot, _: bot.get_chat_member(CHAT, 31337), "Participant_id_invalid"),
        (lambda bot, _: bot.set_my_commands([("Start", "x")]), "Bot_command_invalid"),
    ],
)
async def test_what_is_refused(tg: TelegramFake, bot: Bot, call: Action, error: str) -> None:
    tg.user_says(CHAT, "from a person")
    mine = (await bot.send_message(CHAT, "same")).message_id
    with pytest.raises(BadRequest) as caught:
        await call(bot, mine)
    assert caught.value.message.startswith(error)
    assert [message.text for message in tg.answers(CHAT)] == ["same"]
    assert tg.requests[-1].ok is False


async def test_text_is_parsed_before_the_chat_is_looked_up(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Can't parse entities"):
        await bot.send_message(999, "<b>", parse_mode="HTML")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(999, "x" * 5000)


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("blocked", "Forbidden: bot was blocked by the user"),
        ("deactivated", "Forbidden: user is deactivated"),
        ("not_started", "Forbidden: bot can't initiate conversation with a user"),
    ],
)
async def test_a_person_who_can_not_be_reached(tg: TelegramFake, bot: Bot, reason: Any, error: str) -> None:
    tg.refuse(CHAT, reason)
    with pytest.raises(Forbidden) as caught:
        await bot.send_message(CHAT, "x")
    assert caught.value.message == error
    tg.refuse(CHAT, None)
    await bot.send_message(CHAT, "x")


async def test_a_bot_that_was_blocked_or_removed_is_told(tg: TelegramFake, bot: Bot) -> None:
    tg.set_membership(CHAT, "kicked")
    tg.set_membership(-500, "left")
    with pytest.raises(Forbidden, match="blocked by the user"):
        await bot.send_message(CHAT, "x")
    with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
        await bot.send_message(-500, "x")
    blocked, removed = await bot.get_updates()
    assert blocked.my_chat_member is not None
    assert blocked.my_chat_member.new_chat_member.status == "kicked"
    assert removed.my_chat_member is not None
    assert removed.my_chat_member.old_chat_member.status == "member"
    tg.set_membership(CHAT, "member")
    await bot.send_message(CHAT, "x")


async def test_an_upgraded_group_says_where_it_went(tg: TelegramFake, bot: Bot) -> None:
    tg.add_chat(-5, "group")
    tg.refuse(-5, "upgraded", -1000000000005)
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(-5, "x")
    assert caught.value.new_chat_id == -1000000000005


@pytest.mark.parametrize("token", ["4242:wrong", "nonsense"])
async def test_a_wrong_token_is_refused(tg: TelegramFake, token: str) -> None:
    async with HTTPXRequest() as request:
        client = Bot(token, base_url=tg.base_url, request=request)
        with pytest.raises(InvalidToken):
            await client.get_me()


async def test_replies(tg: TelegramFake, bot: Bot) -> None:
    said = tg.user_says(CHAT, "question")
    sent = await bot.send_message(CHAT, "answer", reply_parameters=ReplyParameters(said.message_id))
    assert sent.reply_to_message is not None
    assert sent.reply_to_message.text == "question"
    missing = ReplyParameters(999, allow_sending_without_reply=True)
    alone = await bot.send_message(CHAT, "answer", reply_parameters=missing)
    assert alone.reply_to_message is None


async def test_deleting(tg: TelegramFake, bot: Bot) -> None:
    sent = await bot.send_message(CHAT, "oops")
    await bot.delete_message(CHAT, sent.message_id)
    assert tg.chat(CHAT) == []
    assert [message.text for message in tg.chat(CHAT, deleted=True)] == ["oops"]
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("x", CHAT, sent.message_id)


async def test_old_messages_can_not_be_deleted() -> None:
    now = 1_800_000_000.0
    async with TelegramFake(clock=lambda: now) as tg, client_of(tg) as bot:
        tg.add_chat(CHAT)
        sent = await bot.send_message(CHAT, "x")
        now += 48 * 3600 + 1
        with pytest.raises(BadRequest, match="can't be deleted for everyone"):
            await bot.delete_message(CHAT, sent.message_id)


async def test_typing_is_seen_until_the_answer(tg: TelegramFake, bot: Bot) -> None:
    assert not tg.is_typing(CHAT)
    await bot.send_chat_action(CHAT, "typing")
    assert tg.is_typing(CHAT)
    await bot.send_message(CHAT, "done")
    assert not tg.is_typing(CHAT)
    assert [action.action for action in tg.actions] == ["typing"]


async def test_drafts(tg: TelegramFake, bot: Bot) -> None:
    for text in ("one", "one two"):
        await bot.send_message_draft(CHAT, 7, text)
    assert [(draft.draft_id, draft.text) for draft in tg.drafts] == [(7, "one"), (7, "one two")]
    assert tg.chat(CHAT) == []


async def test_buttons(tg: TelegramFake, bot: Bot) -> None:
    sent = await bot.send_message(CHAT, "Sure?", reply_markup=KEYBOARD)
    assert sent.reply_markup == KEYBOARD
    query_id = tg.user_presses(CHAT, sent.message_id, "yes")
    (update,) = await bot.get_updates()
    assert update.callback_query is not None
    assert (update.callback_query.id, update.callback_query.data) == (query_id, "yes")
    assert update.callback_query.message is not None
    assert update.callback_query.message.message_id == sent.message_id
    await bot.answer_callback_query(query_id, text="Noted")
    answer = tg.account.callback_answers[query_id]
    assert answer is not None
    assert answer["text"] == "Noted"
    edited = await bot.edit_message_text("Sure?", CHAT, sent.message_id)
    assert not isinstance(edited, bool)
    assert edited.reply_markup is None, "an edit without a keyboard takes it away"


async def test_reactions(tg: TelegramFake, bot: Bot) -> None:
    said = tg.user_says(CHAT, "good news")
    await bot.set_message_reaction(CHAT, said.message_id, "👍")
    assert tg.chat(CHAT)[0].reactions == [{"type": "emoji", "emoji": "👍"}]


async def test_commands(tg: TelegramFake, bot: Bot) -> None:
    await bot.set_my_commands([BotCommand("start", "Say hello")])
    assert await bot.get_my_commands() == (BotCommand("start", "Say hello"),)
    assert await bot.get_my_commands(language_code="de") == ()


async def test_who_is_who(tg: TelegramFake, bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.username, me.can_read_all_group_messages) == ("fake_bot", False)
    tg.user_says(CHAT, "hi", first_name="Ada", username="ada")
    chat = await bot.get_chat(CHAT)
    assert (chat.first_name, chat.username, chat.type) == ("Ada", "ada", "private")
    assert (await bot.get_chat("@ada")).id == CHAT
    assert isinstance(await bot.get_chat_member(CHAT, CHAT), ChatMemberMember)


async def test_a_persons_message_arrives_whole(tg: TelegramFake, bot: Bot) -> None:
    said = tg.user_says(CHAT, "/start see https://x.org 😀 @you", first_name="Ada")
    (update,) = await bot.get_updates()
    message = update.message
    assert message is not None
    assert message.from_user is not None
    assert (update.update_id, message.message_id) == said
    assert (message.chat.id, message.from_user.id, message.from_user.first_name) == (CHAT, CHAT, "Ada")
    assert list(message.parse_entities().values()) == ["/start", "https://x.org", "@you"]


async def test_an_edited_message_arrives_as_one(tg: TelegramFake, bot: Bot) -> None:
    said = tg.user_says(CHAT, "helo")
    tg.user_edits(CHAT, said.message_id, "hello")
    _, update = await bot.get_updates()
    assert update.edited_message is not None
    assert update.edited_message.text == "hello"


async def test_link_previews_and_protection_are_accepted(bot: Bot) -> None:
    options = LinkPreviewOptions(is_disabled=True)
    await bot.send_message(CHAT, "https://x.org", link_preview_options=options, protect_content=True)

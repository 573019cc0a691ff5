"""Groups and forums: what the bot is told, and where its messages go."""

from __future__ import annotations

import pytest
from telegram import Bot, ReplyParameters
from telegram.error import BadRequest

from tests.fakes.telegram import TelegramFake

from .conftest import client_of

GROUP = -1001
FORUM = -1002


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello everybody", False),
        ("hello @fake_bot", True),
        ("😀 @FAKE_BOT?", True),
        ("hello @fake_bot2", False),
        ("mail me@fake_bot.org", False),
        ("/status", True),
        ("/status@fake_bot", True),
        ("/status@other_bot", False),
        ("look in /etc/passwd", False),
    ],
)
async def test_privacy_mode(tg: TelegramFake, text: str, told: bool) -> None:
    assert (tg.user_says(GROUP, text).update_id is not None) is told


async def test_a_reply_to_the_bot_is_told(tg: TelegramFake, bot: Bot) -> None:
    tg.add_chat(GROUP)
    sent = await bot.send_message(GROUP, "hello")
    other = tg.user_says(GROUP, "psst")
    assert tg.user_says(GROUP, "to you", reply_to=sent.message_id).update_id is not None
    assert tg.user_says(GROUP, "to him", reply_to=other.message_id).update_id is None


async def test_privacy_can_be_off_and_administrators_see_all(tg: TelegramFake) -> None:
    tg.add_chat(GROUP)
    tg.set_membership(GROUP, "administrator")
    assert tg.user_says(GROUP, "hello").update_id is not None
    async with TelegramFake(privacy=False) as open_tg, client_of(open_tg) as bot:
        assert open_tg.user_says(GROUP, "hello").update_id is not None
        assert (await bot.get_me()).can_read_all_group_messages


async def test_topics_are_kept_apart(tg: TelegramFake, bot: Bot) -> None:
    tg.add_topic(FORUM, 10, "Garden")
    tg.add_topic(FORUM, 20, "House")
    tg.user_says(FORUM, "/one", thread_id=10, user_id=7)
    (update,) = await bot.get_updates()
    message = update.message
    assert message is not None
    assert message.chat.is_forum
    assert (message.message_thread_id, message.is_topic_message) == (10, True)
    await bot.send_message(FORUM, "in the garden", message_thread_id=10)
    await bot.send_message(FORUM, "in the house", message_thread_id=20)
    await bot.send_message(FORUM, "in general")
    assert [m.text for m in tg.answers(FORUM, 10)] == ["in the garden"]
    assert [m.text for m in tg.answers(FORUM, 20)] == ["in the house"]
    assert [m.text for m in tg.answers(FORUM) if m.thread_id is None] == ["in general"]


async def test_in_a_topic_everything_looks_like_a_reply_to_its_beginning(tg: TelegramFake, bot: Bot) -> None:
    tg.add_topic(FORUM, 10, "Garden")
    tg.user_says(FORUM, "/hello", thread_id=10, user_id=7)
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.reply_to_message is not None
    assert update.message.reply_to_message.forum_topic_created is not None


async def test_unknown_topics_are_refused_and_general_has_no_number(tg: TelegramFake, bot: Bot) -> None:
    tg.add_topic(FORUM, 10)
    for thread_id in (1, 99):
        with pytest.raises(BadRequest, match="Message thread not found"):
            await bot.send_message(FORUM, "x", message_thread_id=thread_id)


async def test_a_thread_id_means_nothing_without_topics(tg: TelegramFake, bot: Bot) -> None:
    tg.add_chat(GROUP)
    sent = await bot.send_message(GROUP, "x", message_thread_id=99)
    assert sent.message_thread_id is None


async def test_chains_of_replies_are_threads_but_not_topics(tg: TelegramFake, bot: Bot) -> None:
    said = tg.user_says(GROUP, "/question")
    reply = ReplyParameters(said.message_id)
    first = await bot.send_message(GROUP, "answer", reply_parameters=reply)
    again = tg.user_says(GROUP, "and?", reply_to=first.message_id)
    *_, update = await bot.get_updates()
    assert update.message is not None
    assert update.message.message_id == again.message_id
    assert update.message.message_thread_id == said.message_id
    assert not update.message.is_topic_message


async def test_a_reply_stays_in_its_topic(tg: TelegramFake, bot: Bot) -> None:
    tg.add_topic(FORUM, 10)
    said = tg.user_says(FORUM, "/x", thread_id=10)
    sent = await bot.send_message(FORUM, "y", reply_parameters=ReplyParameters(said.message_id))
    assert sent.message_thread_id == 10


async def test_message_numbers_belong_to_the_supergroup_or_to_the_account(tg: TelegramFake, bot: Bot) -> None:
    for chat_id in (1, 2, GROUP, FORUM):
        tg.add_chat(chat_id)
    numbers = [(await bot.send_message(chat_id, "x")).message_id for chat_id in (1, 2, GROUP, FORUM)]
    assert numbers == [1, 2, 1, 1]


async def test_others_messages_can_not_be_deleted_without_the_right(tg: TelegramFake, bot: Bot) -> None:
    said = tg.user_says(GROUP, "mine")
    with pytest.raises(BadRequest, match="Message can't be deleted"):
        await bot.delete_message(GROUP, said.message_id)
    tg.set_membership(GROUP, "administrator")
    await bot.delete_message(GROUP, said.message_id)

"""Choices as buttons: what they show, what pressing them says, and when they go away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.adapters.telegram.buttons import rows_of
from channels.adapters.telegram.channel import TelegramChannel
from channels.testing import MemoryStore
from channels.types import Address, Choice, Outbound
from tests.fakes.telegram import TelegramFake
from tests.unit.channels.telegram.running import Inbox, channel_for, running

ME, GROUP = Address("telegram", "42"), Address("telegram", "-100")
YES, NO = Choice("Approve", "/approve 7"), Choice("Deny", "/deny 7")
LONG = Choice("Long", "/approve " + "é" * 40)


@pytest.fixture
async def channel(tg: TelegramFake) -> AsyncIterator[TelegramChannel]:
    tg.add_chat(42)
    tg.add_chat(-100)
    channel = channel_for(tg)
    yield channel
    await channel.aclose()


def question(*choices: Choice, at: Address = ME, **more: Any) -> Outbound:
    return Outbound(1, at, "May I?", choices=choices, **more)


def buttons(tg: TelegramFake, chat: int = 42) -> list[list[tuple[str, str]]]:
    markup = tg.answers(chat)[-1].reply_markup or {"inline_keyboard": []}
    return [[(one["text"], one["callback_data"]) for one in row] for row in markup["inline_keyboard"]]


async def test_choices_are_buttons_that_say_their_words(tg: TelegramFake, channel: TelegramChannel) -> None:
    await channel.send(question(YES, NO))

    assert buttons(tg) == [[("Approve", "/approve 7"), ("Deny", "/deny 7")]]


async def test_an_answer_in_place_of_its_preview_has_its_buttons(
    tg: TelegramFake, channel: TelegramChannel
) -> None:
    ref = await channel.preview(ME, "May", "")
    await channel.send(question(YES, edits=ref))

    assert buttons(tg) == [[("Approve", "/approve 7")]]
    assert len(tg.answers(42)) == 1


def test_labels_share_a_row_as_long_as_they_can_be_read() -> None:
    def rows(*labels: str) -> list[list[str]]:
        return [[one.label for one in row] for row in rows_of([Choice(label, "x") for label in labels])]

    assert rows("Yes", "No", "Later") == [["Yes", "No", "Later"]]
    assert rows("Approve for today", "Deny", "Why?") == [["Approve for today"], ["Deny", "Why?"]]
    assert rows("x" * 20, "y" * 20) == [["x" * 20], ["y" * 20]]
    assert rows() == []


@pytest.mark.parametrize("choice", [Choice("", "/x"), Choice("x", "")])
async def test_a_button_that_says_nothing_is_left_out(
    tg: TelegramFake, channel: TelegramChannel, choice: Choice
) -> None:
    await channel.send(question(choice, YES))
    await channel.send(question(choice))

    assert [len((message.reply_markup or {}).get("inline_keyboard", [])) for message in tg.answers(42)] == [
        1,
        0,
    ]


async def test_a_press_is_a_message_and_is_answered_when_it_is_stored(tg: TelegramFake) -> None:
    channel, inbox = channel_for(tg), Inbox(refusals=[OSError("disk full")])
    answered: list[object] = []
    inbox.before = lambda: answered.extend(tg.callback_answers.values())
    tg.add_chat(42)
    receipt = await channel.send(question(YES, NO))
    async with running(channel, inbox):
        await tg.wait_for(lambda: tg.is_polled)
        query = tg.user_presses(42, int(receipt.ref), "/approve 7")
        await tg.wait_for(lambda: tg.callback_answers[query] and not buttons(tg))

    (message,) = inbox.messages
    assert (message.text, message.address, message.sender.id) == ("/approve 7", ME, "42")
    assert (message.private, message.addressed, message.key) == (True, True, f"press:{query}")
    assert answered == [None, None], "nothing is answered before it is stored"
    assert len(inbox.offered) == 2
    assert tg.answers(42)[-1].text == "May I?"


async def test_a_press_keeps_its_topic(tg: TelegramFake) -> None:
    channel, inbox = channel_for(tg), Inbox()
    tg.add_topic(-100, 7)
    at = Address("telegram", "-100", "7")
    receipt = await channel.send(question(YES, at=at))
    async with running(channel, inbox):
        await tg.wait_for(lambda: tg.is_polled)
        tg.user_presses(-100, int(receipt.ref), "/approve 7", 42)
        await tg.wait_for(lambda: inbox.messages)
    assert inbox.messages[0].address == at
    assert not inbox.messages[0].private


async def test_words_too_long_for_a_button_are_kept_over_a_restart(tg: TelegramFake) -> None:
    store = MemoryStore()
    before = channel_for(tg, store=store)
    tg.add_chat(42)
    receipt = await before.send(question(LONG))
    await before.aclose()
    ((_, data),) = buttons(tg)[0]
    assert len(data.encode()) <= 64

    inbox = Inbox()
    async with running(channel_for(tg, store=store), inbox):
        await tg.wait_for(lambda: tg.is_polled)
        tg.user_presses(42, int(receipt.ref), data)
        await tg.wait_for(lambda: inbox.messages)
    assert inbox.texts == [LONG.says]


async def test_words_that_look_like_a_stand_in_are_kept_too(
    tg: TelegramFake, channel: TelegramChannel
) -> None:
    odd = Choice("Odd", "says:hello")
    await channel.send(question(odd))

    ((_, data),) = buttons(tg)[0]
    assert data.startswith("says:")
    assert data != "says:hello"


async def test_old_stand_ins_make_room_for_new_ones(tg: TelegramFake) -> None:
    store = MemoryStore()
    channel = channel_for(tg, store=store)
    tg.add_chat(42)
    for number in range(310):
        await channel.send(question(Choice("Long", f"/approve {number} " + "é" * 40)))
    await channel.aclose()
    kept = await store.load("buttons")
    assert kept is not None
    assert len(kept) == 300


@pytest.mark.parametrize("trouble", ["too old", "unknown words", "deleted"])
async def test_a_press_that_comes_too_late_harms_nobody(tg: TelegramFake, trouble: str) -> None:
    channel, inbox = channel_for(tg), Inbox()
    tg.add_chat(42)
    receipt = await channel.send(question(YES))
    if trouble == "too old":
        old = "Bad Request: query is too old and response timeout expired or query ID is invalid"
        tg.faults.error("answerCallbackQuery", 400, old)
    if trouble == "deleted":
        tg.answers(42)[-1].deleted = True
    async with running(channel, inbox):
        await tg.wait_for(lambda: tg.is_polled)
        data = "says:0" if trouble == "unknown words" else YES.says
        tg.user_presses(42, int(receipt.ref), data)
        tg.user_says(42, "still there?")
        await tg.wait_for(lambda: "still there?" in inbox.texts and tg.calls("editMessageReplyMarkup"))
    assert inbox.texts == ["still there?"] if trouble == "unknown words" else [YES.says, "still there?"]


async def test_in_a_group_only_who_was_asked_uses_the_buttons_up(tg: TelegramFake) -> None:
    channel, inbox = channel_for(tg), Inbox()
    asked = tg.user_says(-100, "@fake_bot do it", user_id=42).message_id
    receipt = await channel.send(question(YES, at=GROUP, reply_to=str(asked)))
    async with running(channel, inbox):
        await tg.wait_for(lambda: tg.is_polled)
        stranger = tg.user_presses(-100, int(receipt.ref), YES.says, 77)
        await tg.wait_for(lambda: tg.callback_answers[stranger])
        assert buttons(tg, -100)
        tg.user_presses(-100, int(receipt.ref), YES.says, 42)
        await tg.wait_for(lambda: not buttons(tg, -100))
    assert [message.sender.id for message in inbox.messages[-2:]] == ["77", "42"]

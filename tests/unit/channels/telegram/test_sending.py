"""What people see of an answer, and how each way of failing counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from channels.adapters.telegram.channel import TelegramChannel
from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.types import Address, Outbound
from tests.fakes.telegram import TelegramFake
from tests.unit.channels.telegram.running import channel_for

ME = Address("telegram", "42")
GROUP = Address("telegram", "-100")


@pytest.fixture
async def channel(tg: TelegramFake) -> AsyncIterator[TelegramChannel]:
    tg.add_chat(42)
    tg.add_chat(-100)
    channel = channel_for(tg)
    yield channel
    await channel.aclose()


def piece(text: str, at: Address = ME, **more: Any) -> Outbound:
    return Outbound(1, at, text, **more)


async def test_markdown_is_shown_formatted(tg: TelegramFake, channel: TelegramChannel) -> None:
    receipt = await channel.send(piece("**Hello** <you>\n```py\nx < 1\n```"))

    (message,) = tg.answers(42)
    assert receipt.ref == str(message.message_id)
    assert message.text == "Hello <you>\nx < 1"
    assert [(entity["type"], entity.get("language")) for entity in message.entities] == [
        ("bold", None),
        ("pre", "py"),
    ]
    assert channel.status.last_sent_at is not None


async def test_refused_formatting_goes_out_as_plain_text(tg: TelegramFake, channel: TelegramChannel) -> None:
    tg.faults.error("sendMessage", 400, "Bad Request: can't parse entities: Unsupported start tag")

    await channel.send(piece("**See** [here](https://e.org/)"))

    assert [message.text for message in tg.answers(42)] == ["See here (https://e.org/)"]
    assert [call.params.get("parse_mode") for call in tg.calls("sendMessage")] == ["HTML", None]


async def test_more_links_than_telegram_takes_in_one_message_go_out_plain(
    tg: TelegramFake, channel: TelegramChannel
) -> None:
    tg.faults.error("sendMessage", 400, "Bad Request: ENTITIES_TOO_LONG")

    await channel.send(piece("**See** [here](https://e.org/)"))

    assert [message.text for message in tg.answers(42)] == ["See here (https://e.org/)"]


async def test_no_piece_has_more_formatting_than_telegram_shows(
    tg: TelegramFake, channel: TelegramChannel
) -> None:
    text = "\n".join(f"- **{n}**: [x](https://e.org/{n})" for n in range(110))

    for part in channel.split(text):
        await channel.send(piece(part))

    shown = [entity for message in tg.answers(42) for entity in message.entities]
    assert [one["url"] for one in shown if one["type"] == "text_link"] == [
        f"https://e.org/{n}" for n in range(110)
    ]
    assert len([one for one in shown if one["type"] == "bold"]) == 110


@pytest.mark.parametrize(
    "text", ["[only]: https://e.org", "\ud83d half a character", "&lt;b&gt; <b>", "\x00\x01 x"]
)
async def test_any_text_is_accepted(tg: TelegramFake, channel: TelegramChannel, text: str) -> None:
    await channel.send(piece(text))

    assert len(tg.answers(42)) == 1


async def test_a_long_text_arrives_whole_in_its_pieces(tg: TelegramFake, channel: TelegramChannel) -> None:
    code = "\n".join(f"line_{number} = '🚀'" for number in range(600))
    text = f"{'Some **words**. ' * 400}\n\n```python\n{code}\n```\n\nThe end."

    pieces = channel.split(text)
    for each in pieces:
        await channel.send(piece("🔁 (a mark before it of at most 64 units)\n" + each))

    messages = tg.answers(42)
    assert len(messages) == len(pieces) > 3
    shown = "\n".join(message.text for message in messages)
    assert shown.count("Some words.") == 400
    assert all(f"line_{number} = '🚀'" in shown for number in range(600))
    with_code = [message for message in messages if "line_" in message.text]
    assert all({"pre"} <= {entity["type"] for entity in message.entities} for message in with_code)
    assert all("```" not in message.text for message in messages)


async def test_an_answer_replaces_its_preview(tg: TelegramFake, channel: TelegramChannel) -> None:
    ref = await channel.preview(ME, "Hel", "")

    receipt = await channel.send(piece("**Hello**", edits=ref))

    (message,) = tg.answers(42)
    assert receipt.ref == ref
    assert message.text == "Hello"
    assert message.entities[0]["type"] == "bold"


async def test_an_answer_that_is_shown_already_is_delivered(
    tg: TelegramFake, channel: TelegramChannel
) -> None:
    ref = await channel.preview(ME, "Hello", "")

    assert (await channel.send(piece("Hello", edits=ref))).ref == ref
    assert (await channel.send(piece("Hello", edits=ref))).ref == ref


async def test_without_its_preview_an_answer_is_a_new_message(
    tg: TelegramFake, channel: TelegramChannel
) -> None:
    ref = await channel.preview(ME, "Hel", "")
    tg.chat(42)[0].deleted = True
    theirs = tg.user_says(42, "mine").message_id

    first = await channel.send(piece("Hello", edits=ref))
    second = await channel.send(piece("World", edits=str(theirs), mark="Again: "))

    assert [message.text for message in tg.answers(42)] == ["Hello", "Again: World"]
    assert len({ref, first.ref, second.ref}) == 3


async def test_an_edit_that_is_refused_for_whatever_reason_costs_no_answer(
    tg: TelegramFake, channel: TelegramChannel
) -> None:
    ref = await channel.preview(ME, "Hel", "")
    tg.faults.error("editMessageText", 400, "Bad Request: MESSAGE_ID_INVALID")

    await channel.send(piece("Hello", edits=ref))

    assert [message.text for message in tg.answers(42)] == ["Hel", "Hello"]


async def test_answers_in_topics_stay_in_their_topic(tg: TelegramFake, channel: TelegramChannel) -> None:
    tg.add_topic(-100, 7)
    tg.add_topic(-100, 8)
    topics = [Address("telegram", "-100", "7"), Address("telegram", "-100", "8")]

    async def stream(topic: Address) -> None:
        ref = ""
        for end in range(1, 6):
            ref = await channel.preview(topic, f"{topic.thread}" * end, ref)
        await channel.send(piece(f"answer {topic.thread}", topic, edits=ref))

    await asyncio.gather(*map(stream, topics))

    for topic in topics:
        (message,) = tg.answers(-100, int(topic.thread))
        assert message.text == f"answer {topic.thread}"
        assert {shown.text.strip(topic.thread) for shown in message.history} <= {"", "answer "}


async def test_a_reply_is_marked_in_groups_only(tg: TelegramFake, channel: TelegramChannel) -> None:
    asked = tg.user_says(-100, "@fake_bot hi").message_id
    asked_alone = tg.user_says(42, "hi").message_id

    await channel.send(piece("hi", GROUP, reply_to=str(asked)))
    await channel.send(piece("to a deleted one", GROUP, reply_to="99999"))
    await channel.send(piece("hi", reply_to=str(asked_alone)))

    assert [message.reply_to for message in tg.answers(-100)] == [asked, None]
    assert [message.reply_to for message in tg.answers(42)] == [None]


async def test_a_group_that_became_a_supergroup_is_followed(
    tg: TelegramFake, channel: TelegramChannel
) -> None:
    tg.add_chat(-1007)
    tg.refuse(-100, "upgraded", -1007)

    await channel.send(piece("hello", GROUP))
    await channel.send(piece("edited", GROUP, edits="77"))

    assert [message.text for message in tg.answers(-1007)] == ["hello", "edited"]


Fault = Callable[[TelegramFake], object]

FAILURES: dict[str, tuple[Fault, type[DeliveryError]]] = {
    "flood": (lambda tg: tg.faults.error("sendMessage", 429, retry_after=7), NotSent),
    "token": (lambda tg: tg.faults.error("sendMessage", 401), NotSent),
    "blocked": (lambda tg: tg.refuse(42, "blocked"), Refused),
    "deactivated": (lambda tg: tg.refuse(42, "deactivated"), Refused),
    "no rights": (lambda tg: tg.refuse(42, "no_rights"), Refused),
    "too large": (lambda tg: tg.faults.error("sendMessage", 413), Refused),
    "a proxy's refusal": (lambda tg: tg.faults.html("sendMessage", 403), NotSent),
    "dropped before": (lambda tg: tg.faults.drop("sendMessage"), Unknown),
    "reset before": (lambda tg: tg.faults.drop("sendMessage", reset=True), Unknown),
    "dropped after": (lambda tg: tg.faults.drop("sendMessage", "after"), Unknown),
    "bad gateway": (lambda tg: tg.faults.html("sendMessage", 502), Unknown),
    "server error": (lambda tg: tg.faults.error("sendMessage", 500), Unknown),
    "half an answer": (lambda tg: tg.faults.truncate("sendMessage"), Unknown),
    "cut answer": (lambda tg: tg.faults.cut("sendMessage"), Unknown),
    "no answer": (lambda tg: tg.faults.hang("sendMessage", "after"), Unknown),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_each_failure_has_its_class(tg: TelegramFake, channel: TelegramChannel, name: str) -> None:
    fail, expected = FAILURES[name]
    fail(tg)

    with pytest.raises(DeliveryError) as caught:
        await channel.send(piece("hello"))

    assert type(caught.value) is expected
    assert caught.value.detail
    assert "\n" not in caught.value.detail
    assert tg.token.partition(":")[2] not in caught.value.detail


async def test_flood_control_says_how_long(tg: TelegramFake, channel: TelegramChannel) -> None:
    tg.faults.error("sendMessage", 429, retry_after=7)

    with pytest.raises(NotSent) as caught:
        await channel.send(piece("hello"))

    assert caught.value.retry_after == 7


async def test_an_unknown_chat_is_refused(tg: TelegramFake, channel: TelegramChannel) -> None:
    with pytest.raises(Refused, match="Chat not found"):
        await channel.send(piece("hello", Address("telegram", "43")))


async def test_a_server_that_is_not_there_got_nothing(tg: TelegramFake) -> None:
    async with TelegramFake(validate=False) as gone:
        address = gone.base_url
    channel = channel_for(tg, base_url=address)

    with pytest.raises(NotSent, match="can't be reached"):
        await channel.send(piece("hello"))
    await channel.aclose()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_edit_with_an_unknown_outcome_is_simply_repeated(
    tg: TelegramFake, channel: TelegramChannel, when: str
) -> None:
    ref = await channel.preview(ME, "Hel", "")
    tg.faults.drop("editMessageText", "after" if when == "after" else "before")

    with pytest.raises(NotSent):
        await channel.send(piece("Hello", edits=ref))
    await channel.send(piece("Hello", edits=ref))

    assert [message.text for message in tg.answers(42)] == ["Hello"]

"""A group that becomes a supergroup has another number; its conversation stays the same."""

from __future__ import annotations

import pytest

from channels.testing import MemoryStore
from channels.types import Address, Outbound
from tests.fakes.telegram import TelegramFake
from tests.unit.channels.telegram.running import Inbox, channel_for, running

OLD = Address("telegram", "-100")


@pytest.fixture
def group(tg: TelegramFake) -> TelegramFake:
    tg.add_chat(-100, "group")
    tg.add_chat(-1007, "supergroup")
    return tg


async def test_told_by_an_update(group: TelegramFake) -> None:
    store, inbox = MemoryStore(), Inbox(refusals=[OSError("disk full")])
    async with running(channel_for(group, store=store), inbox):
        await group.wait_for(lambda: group.is_polled)
        group.upgrade(-100, -1007, 42)
        group.user_says(-1007, "@fake_bot hello", user_id=42)
        await group.wait_for(lambda: inbox.messages)

    (message,) = inbox.messages
    assert message.address == OLD, "who invited the bot and what was said there still count"
    assert message.key.startswith("-1007:"), "numbers of messages begin anew"

    after = channel_for(group, store=store)  # the note outlives a restart
    await after.send(Outbound(1, OLD, "hi"))
    await after.working(OLD)
    await after.acknowledge(OLD, message.ref)
    await after.aclose()
    assert [shown.text for shown in group.answers(-1007)] == ["hi"]
    assert [action.chat_id for action in group.actions] == [-1007]
    assert group.chat(-1007)[-2].reactions
    assert not group.answers(-100)


async def test_learned_from_a_refused_send(group: TelegramFake) -> None:
    store = MemoryStore()
    group.refuse(-100, "upgraded", -1007)
    channel = channel_for(group, store=store)
    await channel.send(Outbound(1, OLD, "one"))
    await channel.send(Outbound(2, OLD, "two"))
    await channel.aclose()

    assert [shown.text for shown in group.answers(-1007)] == ["one", "two"]
    assert [call.params["chat_id"] for call in group.calls("sendMessage")] == ["-100", "-1007", "-1007"]
    assert await store.load("moved groups") == {"-100": "-1007"}


async def test_other_groups_stay_where_they_are(group: TelegramFake) -> None:
    inbox = Inbox()
    async with running(channel_for(group), inbox):
        await group.wait_for(lambda: group.is_polled)
        group.upgrade(-100, -1007, 42)
        group.user_says(-200, "@fake_bot hello")
        await group.wait_for(lambda: inbox.messages)
    assert inbox.messages[0].address == Address("telegram", "-200")

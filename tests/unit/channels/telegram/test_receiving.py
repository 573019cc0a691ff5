"""Nothing is confirmed before it is stored; trouble is told once, survived, and never ends the channel."""

from __future__ import annotations

import logging

import pytest
import telegram

from bot.ops.liveness import BEAT_SECONDS
from channels.adapters.telegram.channel import TelegramChannel
from tests.fakes.telegram import TelegramFake
from tests.unit.channels.telegram.running import MENU, Inbox, Waits, channel_for, running

OTHER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    ours = [record for record in caplog.records if record.name.startswith("channels")]
    return [(record.levelname, record.getMessage()) for record in ours]


def is_up(channel: TelegramChannel) -> bool:
    return channel.status.up


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "channels")


async def test_a_message_is_taken_and_then_confirmed(tg: TelegramFake) -> None:
    pending: list[int] = []
    inbox = Inbox(before=lambda: pending.append(tg.pending_updates))
    channel = channel_for(tg)
    said = tg.user_says(42, "hello")

    async with running(channel, inbox):
        await tg.wait_for(lambda: inbox.messages and not tg.pending_updates)

        assert pending == [1]
        (message,) = inbox.messages
        assert (message.key, message.text, message.ref) == (f"42:{said.message_id}", "hello", "1")
        assert is_up(channel)
        assert channel.status.last_received_at is not None


async def test_what_waits_together_is_taken_together(tg: TelegramFake) -> None:
    inbox = Inbox()
    for number in range(3):
        tg.user_says(42, f"message {number}")

    async with running(channel_for(tg), inbox):
        await tg.wait_for(lambda: inbox.messages)

    assert [len(batch) for batch in inbox.batches] == [3]


async def test_what_was_not_stored_is_offered_again_and_stays_unconfirmed(
    tg: TelegramFake, caplog: pytest.LogCaptureFixture
) -> None:
    pending: list[int] = []
    waits = Waits()
    channel = channel_for(tg, waits)
    full = [OSError("disk full") for _ in range(5)]
    details: list[str] = []
    inbox = Inbox(refusals=list(full))

    def look() -> None:
        pending.append(tg.pending_updates)
        details.append(channel.status.detail)

    inbox.before = look
    tg.user_says(42, "hello")

    async with running(channel, inbox):
        await tg.wait_for(lambda: not tg.pending_updates)

        assert inbox.offered == [["42:1"]] * 6
        assert pending == [1] * 6
        assert details[-1] == "messages can't be stored, so they stay with Telegram: disk full"
        assert is_up(channel)
    assert [level for level, _ in told(caplog)] == ["INFO", "ERROR", "INFO"]
    assert sorted(waits.asked[:5]) == waits.asked[:5]


async def test_a_lost_network_is_told_once_and_survived(
    tg: TelegramFake, caplog: pytest.LogCaptureFixture
) -> None:
    waits = Waits()
    channel, inbox = channel_for(tg, waits), Inbox()
    async with running(channel, inbox):
        await tg.wait_for(lambda: is_up(channel) and tg.is_polled)
        lost = tg.faults.drop("getUpdates", times=40)
        tg.user_says(42, "hello")  # ends the poll that waits already
        await tg.wait_for(lambda: lost.hits == 40)
        assert not is_up(channel)
        tg.user_says(42, "still there?")
        await tg.wait_for(lambda: len(inbox.messages) == 2 and tg.is_polled)

        assert inbox.texts == ["hello", "still there?"]
        assert is_up(channel)
    assert [level for level, _ in told(caplog)] == ["INFO", "WARNING", "INFO"]
    assert 20 < max(waits.asked) <= 30


async def test_one_broken_connection_is_no_news(tg: TelegramFake, caplog: pytest.LogCaptureFixture) -> None:
    channel, inbox = channel_for(tg), Inbox()
    async with running(channel, inbox):
        await tg.wait_for(lambda: is_up(channel) and tg.is_polled)
        tg.faults.drop("getUpdates")
        tg.user_says(42, "one")
        tg.user_says(42, "two")
        await tg.wait_for(lambda: len(inbox.messages) == 2)
    assert [level for level, _ in told(caplog)] == ["INFO"]


@pytest.mark.parametrize("page", [502, 504])
async def test_a_proxy_with_html_pages_is_no_flood_of_logs(
    tg: TelegramFake, caplog: pytest.LogCaptureFixture, page: int
) -> None:
    channel, inbox = channel_for(tg), Inbox()
    tg.faults.html("getUpdates", page, times=10)
    tg.faults.html("getMe", page, times=3)
    tg.user_says(42, "hello")
    async with running(channel, inbox):
        await tg.wait_for(lambda: inbox.messages)
    assert [level for level, _ in told(caplog)] == ["WARNING", "INFO"]
    assert not [record for record in caplog.records if record.exc_info]


async def test_another_poller_is_explained_once(tg: TelegramFake, caplog: pytest.LogCaptureFixture) -> None:
    waits = Waits()
    channel, inbox = channel_for(tg, waits), Inbox()
    details: list[str] = []
    inbox.before = lambda: details.append(channel.status.detail)
    tg.faults.error("getUpdates", 409, OTHER, times=2)
    # A success in between means little: two pollers take turns.
    later = tg.faults.error("getUpdates", 409, OTHER, nth=2, times=2)
    tg.user_says(42, "hello")
    async with running(channel, inbox):
        await tg.wait_for(lambda: inbox.messages and later.hits == 2 and tg.is_polled)
        assert not is_up(channel)
        waits.now += 61
        tg.user_says(42, "again")
        await tg.wait_for(lambda: is_up(channel))

    assert "another program receives with this bot's token" in details[0]
    assert [level for level, _ in told(caplog)] == ["WARNING", "INFO"]
    assert max(waits.asked) <= 30


async def test_a_webhook_is_explained_and_waited_out(
    tg: TelegramFake, caplog: pytest.LogCaptureFixture
) -> None:
    channel, inbox = channel_for(tg), Inbox()
    tg.user_says(42, "hello")
    async with telegram.Bot(tg.token, tg.base_url) as other:
        await other.set_webhook("https://e.org/hook")
        async with running(channel, inbox):
            await tg.wait_for(lambda: len(tg.calls("getUpdates")) > 3)
            assert "a webhook is set for this bot" in channel.status.detail
            assert "deleteWebhook" in channel.status.detail
            await other.delete_webhook()
            await tg.wait_for(lambda: inbox.messages)
            assert is_up(channel)
    assert [level for level, _ in told(caplog)] == ["WARNING", "INFO"]


@pytest.mark.parametrize("status", [401, 404])
async def test_a_refused_token_is_explained_and_tried_again_slowly(
    tg: TelegramFake, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    waits = Waits()
    channel, inbox = channel_for(tg, waits), Inbox()
    refused = tg.faults.error("getMe", status, times=12)
    async with running(channel, inbox):
        await tg.wait_for(lambda: refused.hits == 5)
        assert "check `token` in [channels.telegram]" in channel.status.detail
        await tg.wait_for(lambda: is_up(channel))
    assert [level for level, _ in told(caplog)] == ["WARNING", "INFO"]
    assert 200 < max(waits.asked) <= 300


async def test_flood_control_of_polling_is_honoured(tg: TelegramFake) -> None:
    waits = Waits()
    channel, inbox = channel_for(tg, waits), Inbox()
    tg.faults.error("getUpdates", 429, retry_after=77)
    tg.user_says(42, "hello")
    async with running(channel, inbox):
        await tg.wait_for(lambda: inbox.messages)
    assert 77 in waits.asked


async def test_a_loop_that_turns_is_seen_however_long_a_pause_the_server_wants(tg: TelegramFake) -> None:
    waits = Waits()
    channel, inbox = channel_for(tg, waits), Inbox()
    tg.faults.error("getUpdates", 429, retry_after=3600)
    tg.user_says(42, "hello")
    async with running(channel, inbox):
        await tg.wait_for(lambda: inbox.messages and not tg.pending_updates)
        assert channel.status.beat is not None
        assert channel.status.beat > 1000.0
    assert max(waits.asked) < BEAT_SECONDS


async def test_the_menu_is_set_only_where_it_is_another(tg: TelegramFake) -> None:
    for _ in range(2):
        async with running(channel_for(tg), Inbox()):
            await tg.wait_for(lambda: tg.is_polled)
    (call,) = tg.calls("setMyCommands")
    assert MENU[0].help in str(call.params)


async def test_a_refused_menu_does_not_keep_the_channel_from_receiving(tg: TelegramFake) -> None:
    inbox = Inbox()
    tg.faults.error("setMyCommands", 400, "Bad Request: BOT_COMMAND_INVALID")
    tg.user_says(42, "hello")
    async with running(channel_for(tg), inbox):
        await tg.wait_for(lambda: inbox.messages)


async def test_an_update_that_can_not_be_read_does_not_hold_up_the_others() -> None:
    async with TelegramFake(validate=False) as tg:
        inbox = Inbox()
        tg.user_says(42, "before")
        tg.updates.add("message", {"message_id": 7})
        tg.user_says(42, "after")
        async with running(channel_for(tg), inbox):
            await tg.wait_for(lambda: len(inbox.messages) == 2 and not tg.pending_updates)
        assert inbox.texts == ["before", "after"]


async def test_an_edit_comes_as_one_and_service_messages_are_none(tg: TelegramFake) -> None:
    inbox = Inbox()
    said = tg.user_says(42, "one")
    async with running(channel_for(tg), inbox):
        await tg.wait_for(lambda: inbox.messages and not tg.pending_updates)
        tg.user_edits(42, said.message_id, "one")  # such as a link's preview that was found
        tg.user_edits(42, said.message_id, "one, edited")
        tg.set_membership(42, "kicked")
        tg.user_says(42, "two")
        await tg.wait_for(lambda: len(inbox.messages) == 3)
    assert [(message.text, message.edits) for message in inbox.messages] == [
        ("one", ""),
        ("one, edited", str(said.message_id)),
        ("two", ""),
    ]


async def test_what_was_edited_before_it_was_fetched_comes_once_as_it_is_now(tg: TelegramFake) -> None:
    inbox = Inbox()
    tg.updates.allowed = frozenset({"message", "edited_message"})
    said = tg.user_says(42, "one")
    tg.user_says(42, "two")
    tg.user_edits(42, said.message_id, "one, edited")
    async with running(channel_for(tg), inbox):
        await tg.wait_for(lambda: inbox.messages)
    assert [(message.text, message.edits, message.key) for message in inbox.messages] == [
        ("one, edited", "", f"42:{said.message_id}"),
        ("two", "", inbox.messages[1].key),
    ]


async def test_a_picture_that_is_replaced_below_the_same_words_is_a_change(tg: TelegramFake) -> None:
    inbox = Inbox()
    tg.user_sends(42, "photo", b"a", caption="what is this?")
    async with running(channel_for(tg), inbox):
        await tg.wait_for(lambda: inbox.messages and not tg.pending_updates)
        (said,) = tg.chat(42)
        other = [{"file_id": "other", "file_unique_id": "other", "width": 1, "height": 1}]
        edited = {**tg.world.message_json(said), "edit_date": 1_700_000_000, "photo": other}
        tg.updates.add("edited_message", edited)
        await tg.wait_for(lambda: len(inbox.messages) == 2)
    assert inbox.messages[1].attachments[0].ref == "other"


async def test_an_edit_that_could_not_be_stored_is_offered_again(tg: TelegramFake) -> None:
    inbox = Inbox()
    said = tg.user_says(42, "one")
    async with running(channel_for(tg), inbox):
        await tg.wait_for(lambda: inbox.messages and not tg.pending_updates)
        inbox.refusals.append(OSError("disk full"))
        tg.user_edits(42, said.message_id, "one, edited")
        await tg.wait_for(lambda: len(inbox.messages) == 2)
    assert inbox.texts == ["one", "one, edited"]


async def test_who_invites_the_bot_into_a_group_is_told_to_the_bot(tg: TelegramFake) -> None:
    inbox = Inbox()
    async with running(channel_for(tg), inbox):
        await tg.wait_for(lambda: tg.is_polled)
        tg.user_invites(-100, 42)
        tg.set_membership(-100, "left")
        await tg.wait_for(lambda: not tg.pending_updates)
    (message,) = inbox.messages
    assert (message.invites, message.sender.id, message.address.chat) == (True, "42", "-100")


async def test_all_of_an_album_is_for_the_bot_if_one_of_it_is(tg: TelegramFake) -> None:
    async with TelegramFake(privacy=False) as group:
        inbox = Inbox()
        group.user_sends_album(-100, [b"a", b"b", b"c"], "@fake_bot which one?")
        group.user_sends_album(-100, [b"d", b"e"], "for nobody")
        async with running(channel_for(group), inbox):
            await group.wait_for(lambda: len(inbox.messages) == 5)
        assert [message.addressed for message in inbox.messages] == [True] * 3 + [False] * 2
        assert all(message.more_follows for message in inbox.messages)


async def test_files_of_an_album_count_though_the_caption_that_calls_the_bot_comes_last() -> None:
    async with TelegramFake(privacy=False) as group:
        inbox = Inbox()
        async with running(channel_for(group), inbox):
            album = {"media_group_id": "9"}
            for number, caption in enumerate(("", "", "@fake_bot sum up", "")):
                group.user_sends(-100, "document", b"a", caption=caption, extra=album)
                await group.wait_for(lambda: not group.pending_updates and len(inbox.offered) > number)  # noqa: B023 -- at once
        meant = [message for message in inbox.messages if message.addressed]
    assert [message.text for message in meant] == ["", "", "sum up", ""]
    assert len({message.key for message in meant}) == 4


async def test_the_rest_of_a_long_text_that_calls_the_bot_is_for_it_too() -> None:
    async with TelegramFake(privacy=False) as group:
        inbox = Inbox()
        long = "word " * 815
        group.user_says(-100, f"@fake_bot {long}")
        group.user_says(-100, "what do they want?", user_id=1002)
        group.user_says(-100, long)
        group.user_says(-100, "the end")
        group.user_says(-100, "now for you, Ben")
        group.user_says(-100, f"@fake_bot {long}", user_id=1002, date=1_700_000_000)
        group.user_says(-100, "no part of it", user_id=1002, date=1_700_000_060)
        async with running(channel_for(group), inbox):
            await group.wait_for(lambda: len(inbox.messages) == 7)
    assert [one.addressed for one in inbox.messages] == [True, False, True, True, False, True, False]


@pytest.mark.parametrize("last", ["four", "one"])
async def test_two_changes_that_come_together_are_one_change(tg: TelegramFake, last: str) -> None:
    inbox = Inbox()
    said = tg.user_says(42, "one")
    async with running(channel_for(tg), inbox):
        await tg.wait_for(lambda: inbox.messages and not tg.pending_updates)
        tg.user_edits(42, said.message_id, "three")
        tg.user_edits(42, said.message_id, last)
        await tg.wait_for(lambda: len(inbox.messages) == 2)
    assert [(message.text, message.edits) for message in inbox.messages] == [
        ("one", ""),
        (last, str(said.message_id)),
    ]


async def test_everything_in_a_group_can_be_meant_for_the_bot() -> None:
    async with TelegramFake(privacy=False) as tg:
        inbox = Inbox()
        tg.user_says(-100, "hello everybody")
        async with running(channel_for(tg, groups="all"), inbox):
            await tg.wait_for(lambda: inbox.messages)
        assert inbox.messages[0].addressed


async def test_what_only_the_owner_can_mend_is_told_once_and_a_passing_trouble_never(
    tg: TelegramFake,
) -> None:
    heard: list[str] = []
    tg.faults.error("getUpdates", 409, OTHER)
    tg.faults.error("getMe", 401, times=5)
    tg.faults.html("getMe", 502, times=9)
    tg.user_says(42, "hello")
    inbox = Inbox()
    async with running(channel_for(tg, heard=heard), inbox):
        await tg.wait_for(lambda: inbox.messages)
    assert len(heard) == 1
    assert "check `token` in [channels.telegram]" in heard[0]


async def test_groups_can_be_switched_off(tg: TelegramFake) -> None:
    inbox = Inbox()
    tg.user_says(-100, "@fake_bot hello")
    tg.user_says(42, "hello")
    async with running(channel_for(tg, groups=False), inbox):
        await tg.wait_for(lambda: not tg.pending_updates)
    assert [message.private for message in inbox.messages] == [True]


async def test_the_token_is_in_no_log_and_no_status(
    tg: TelegramFake, caplog: pytest.LogCaptureFixture
) -> None:
    channel, inbox = channel_for(tg), Inbox(refusals=[ValueError("no")])
    details: list[str] = []
    inbox.before = lambda: details.append(channel.status.detail)
    for status in (401, 404, 409, 429, 500):
        tg.faults.error("getMe", status)
    for fail in (tg.faults.drop, tg.faults.truncate, tg.faults.cut, tg.faults.html):
        fail("getUpdates")
    tg.user_says(42, "hello")
    async with running(channel, inbox):
        await tg.wait_for(lambda: inbox.messages)
    secret = tg.token.partition(":")[2]
    assert secret not in "\n".join([*details, *(message for _, message in told(caplog))])
    assert len(told(caplog)) >= 4

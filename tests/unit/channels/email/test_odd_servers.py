"""What servers do besides what the book says, and what is bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from channels.adapters.email.folder import folder_name
from channels.adapters.email.imap import Known
from channels.adapters.email.notes import Notes, Thread
from channels.adapters.email.receiver import Standing, _portions
from channels.testing import MemoryStore
from channels.types import Outbound
from tests.contract.drivers.channel_email import mail
from tests.unit.channels.email.mailroom import Mailroom

NOW = datetime.now(UTC)


async def test_a_mail_that_is_announced_with_a_searchs_answer_is_not_waited_for(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.meanwhile = mail("between", 2)
        room.imap.deliver(mail("first", 1))
        await room.until(lambda: len(room.taken) == 2)


async def test_a_mail_that_the_server_can_not_hand_out_does_not_stop_the_others(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.broken.add(room.imap.deliver(mail("broken", 1, References="", Subject="Whole")))
        room.imap.deliver(mail("fine", 2))
        await room.until(lambda: len(room.taken) == 2)
    assert room.taken[0].text.startswith("Whole\n\n[The mail server did not hand out the whole mail")
    assert room.taken[1].text == "fine"


async def test_mails_that_could_not_be_stored_for_long_are_not_too_many_then(room: Mailroom) -> None:
    room.refusals += [OSError("disk full")] * 5
    async with room.running(per_hour=2) as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("one", 1))
        await room.until(lambda: room.taken)
    assert channel.status.notes == ()


async def test_a_temporary_refusal_is_nothing_for_the_owner(room: Mailroom) -> None:
    room.imap.refusal = "[UNAVAILABLE] try again"
    async with room.running() as channel:
        await room.until(lambda: room.imap.logins > 2)
        assert "[UNAVAILABLE]" in channel.status.detail
        room.imap.refusal = ""
        await room.until(lambda: channel.status.up)
    assert room.told == []


async def test_a_folder_put_back_from_a_backup_is_looked_through(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        for number in range(3):
            room.imap.deliver(mail(f"{number}", number))
        await room.until(lambda: len(room.taken) == 3)
    del room.imap.mails[:]
    room.imap._next = 1
    room.imap.deliver(mail("new", 9))
    async with room.running():
        await room.until(lambda: len(room.taken) == 4)
    assert room.taken[-1].text == "new"


async def test_old_mail_that_was_copied_anew_is_nobodys_question(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
    old = f"{NOW - timedelta(days=9):%a, %d %b %Y %H:%M:%S +0000}"
    room.imap.deliver(mail("old, with a new time of arrival", 1, Date=old))
    room.imap.renumber()
    room.imap.deliver(mail("new", 2))
    async with room.running():
        await room.until(lambda: room.taken)
    assert [one.text for one in room.taken] == ["new"]


async def test_of_a_mail_beyond_the_limit_only_the_head_is_read(room: Mailroom) -> None:
    async with room.running(max_mail=1) as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("word " * 300_000, 1, References="", Subject="A book"))
        await room.until(lambda: room.taken)
    assert room.taken[0].text == "A book\n\n[The mail has 2 MB; only its head was read.]"
    assert not any("BODY.PEEK[]" in command for command in room.imap.commands)


async def test_an_answer_names_the_mail_that_it_answers(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("one", 1))
        room.imap.deliver(mail("two", 2))
        await room.until(lambda: len(room.taken) == 2)
        await channel.send(Outbound(7, room.taken[0].address, "To the first.", reply_to=room.taken[0].ref))
        forgotten = replace(room.taken[0].address, thread="0" * 16)
        await channel.send(Outbound(8, forgotten, "Late.", reply_to="<long@ago.example>"))
    answer, late = (taken.message for taken in room.smtp.taken)
    assert answer["In-Reply-To"] == "<m1@example.org>"
    assert answer["References"].split() == ["<root@example.org>", "<m1@example.org>"]
    assert (late["In-Reply-To"], late["References"]) == ("<long@ago.example>", "<long@ago.example>")


def test_mails_are_read_in_portions_that_memory_bears() -> None:
    mails = [Known(number, size, NOW) for number, size in enumerate((4, 4, 4, 900, 11, 1), start=1)]
    portions = [[one.uid for one in portion] for portion in _portions(mails, 10)]
    assert portions == [[1, 2], [3], [4], [5], [6]]
    assert list(_portions([], 10)) == []


def test_reasons_that_senders_make_up_are_not_counted_one_by_one() -> None:
    standing = Standing()
    for number in range(100):
        standing.keep_aside(f"nothing proves\r\n that it is from\x1b {number}.example")
    assert len(standing.notes) == 21
    assert standing.notes[0] == "80 mails kept aside: for other reasons"
    assert all(note.isprintable() for note in standing.notes)


async def test_of_many_threads_the_oldest_are_forgotten() -> None:
    store = MemoryStore()
    notes = Notes(store)
    for number in range(1010):
        await notes.keep_thread(f"{number}", Thread("Milk", f"<{number}@example.org>"))
        await notes.keep_thread("0", Thread("Milk", "<0@example.org>"))
    assert len(store.values) == 1001
    assert await notes.thread("0") is not None
    assert await notes.thread("1") is None
    assert await notes.thread("1009") == Thread("Milk", "<1009@example.org>")


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", "INBOX"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("台北", "&U,BTFw-"),
        ("A & B", "A &- B"),
        ("🚀", "&2D3egA-"),
    ],
)
def test_a_folders_name_on_the_wire(name: str, wire: str) -> None:
    assert folder_name(name) == wire

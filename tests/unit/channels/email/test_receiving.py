"""Which mails are taken, which are left aside, and how far the mailbox was read, over every kind of restart."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from channels.adapters.email.channel import EmailChannel
from channels.adapters.email.receiver import Pace
from channels.base import Host
from channels.types import Address, Outbound
from tests.contract.drivers.channel_email import ANN, mail, settings
from tests.unit.channels.email.mailroom import Mailroom


async def test_the_first_start_answers_no_old_mail(room: Mailroom) -> None:
    room.imap.deliver(mail("old", 1))
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("new", 2))
        await room.until(lambda: room.taken)
    assert [one.text for one in room.taken] == ["new"]
    assert room.imap.seen() == 1


async def test_what_came_while_nobody_looked_is_taken_by_the_next_start(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
    room.imap.deliver(mail("meanwhile", 1))
    async with room.running():
        await room.until(lambda: room.taken)
    assert [one.text for one in room.taken] == ["meanwhile"]


async def test_a_mailbox_numbered_anew_gives_what_is_new_and_nothing_old(room: Mailroom) -> None:
    room.imap.deliver(mail("before the assistant", 0))
    room.imap.mails[0].at -= timedelta(hours=1)
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("known", 1))
        await room.until(lambda: room.taken)
        await room.until(lambda: room.imap.seen() == 1)
        room.imap.renumber()
        room.imap.deliver(mail("new", 2))
        await room.until(lambda: len(room.taken) == 2)
    assert [one.text for one in room.taken] == ["known", "new"]


async def test_what_was_read_and_forgotten_long_ago_is_not_taken_anew_with_new_numbers(
    room: Mailroom,
) -> None:
    """The mailbox was looked at in the forty days in which nothing came, so that all before was read."""
    passed = 0.0
    pace = Pace(renew=0.02, now=lambda: time.time() + passed)
    host = Host((), room.store, None, room.told.append)  # type: ignore[arg-type]  # mail needs no folder
    channel = EmailChannel(settings(room.imap, room.smtp), host, pace=pace)
    task = asyncio.create_task(channel.run(room.take, room.report))
    await room.until(lambda: channel.status.up)
    room.imap.deliver(mail("long ago", 1))
    await room.until(lambda: room.imap.seen() == 1)
    passed = 40 * 86_400.0
    asked = len(room.imap.commands)
    await room.until(lambda: len(room.imap.commands) > asked + 10)
    room.taken.clear()  # as [retention] does
    room.imap.renumber()
    later = datetime.now(UTC) + timedelta(seconds=passed)
    room.imap.deliver(mail("new", 2, Date=f"{later:%a, %d %b %Y %H:%M:%S +0000}"))
    room.imap.mails[1].at = later
    await room.until(lambda: room.taken and room.imap.mails[-1].flags)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [one.text for one in room.taken] == ["new"]


async def test_a_server_that_can_not_announce_is_asked(room: Mailroom) -> None:
    room.imap.idle = False
    async with room.running(poll=5.0) as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("hello", 1))
        room.imap.cut()  # instead of waiting for five seconds
        await room.until(lambda: room.taken)
    assert not any("IDLE" in command for command in room.imap.commands)


async def test_a_connection_that_breaks_is_made_anew(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        for number in range(3):
            room.imap.cut()
            room.imap.deliver(mail(f"{number}", number))
            await room.until(lambda: len(room.taken) == number + 1)  # noqa: B023 -- called at once
    assert room.told == []


async def test_a_refused_password_is_told_to_the_owner(room: Mailroom) -> None:
    room.imap.password = "changed"
    async with room.running() as channel:
        await room.until(lambda: room.told)
        assert not channel.status.up
        assert "app password" in channel.status.detail
    assert "refuses to log bot in" in room.told[0]


ASIDE = {
    "no proof": ({"Authentication_Results": ""}, "its sender is not proved"),
    "a mailing list": ({"List_Id": "<all.example.org>"}, "mailing list"),
    "an automatic reply": ({"Auto_Submitted": "auto-replied"}, "Auto-Submitted says auto-replied"),
    "our own address": ({"From": "bot@home.example"}, "own address"),
}


@pytest.mark.parametrize("name", ASIDE)
async def test_what_must_not_be_answered_is_left_unread_and_counted(name: str, room: Mailroom) -> None:
    headers, why = ASIDE[name]
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        raw = mail("trap", 1, **headers)
        if name == "no proof":
            raw = b"\n".join(line for line in raw.splitlines() if not line.startswith(b"Authentication"))
        room.imap.deliver(raw)
        room.imap.deliver(mail("real", 2))
        await room.until(lambda: room.taken)
        assert [one.text for one in room.taken] == ["real"]
        (note,) = channel.status.notes
    assert note.startswith("1 mail kept aside: ")
    assert why in note
    assert room.imap.seen() == 1
    assert room.smtp.taken == []


async def test_one_correspondent_is_answered_so_often_within_an_hour(room: Mailroom) -> None:
    async with room.running(per_hour=2) as channel:
        await room.until(lambda: channel.status.up)
        for number in range(4):
            room.imap.deliver(mail(f"{number}", number))
        await room.until(lambda: channel.status.notes and "2 mails kept aside" in channel.status.notes[0])
    assert [one.text for one in room.taken] == ["0", "1"]


async def test_the_subject_is_part_of_what_begins_a_thread_and_never_of_a_command(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("Buy it.", 1, References="", Subject="Milk"))
        room.imap.deliver(mail("/status\n\nthanks", 2, References="", Subject="Milk"))
        await room.until(lambda: len(room.taken) == 2)
    assert [one.text for one in room.taken] == ["Milk\n\nBuy it.", "/status\n\nthanks"]
    assert room.taken[0].address != room.taken[1].address, "two mails that begin are two threads"


@pytest.mark.parametrize("status", ["5.1.1", "4.4.1"])
async def test_a_bounce_of_our_own_mail_is_reported_and_another_is_not(room: Mailroom, status: str) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("hello", 1))
        await room.until(lambda: room.taken)
        receipt = await channel.send(Outbound(7, room.taken[0].address, "Hello."))
        room.imap.deliver(bounce(receipt.ref, status))
        room.imap.deliver(bounce("<nanobot.8.0011223344556677.0000000000000000@home.example>"))
        await room.until(lambda: room.reports and channel.status.notes)
    (report,) = room.reports
    assert (report.ref, report.delivered, report.again) == (receipt.ref, False, False)
    assert "no such user" in report.detail
    assert len(room.taken) == 1


def bounce(message_id: str, status: str = "5.1.1") -> bytes:
    return (
        "Return-Path: <>\nFrom: MAILER-DAEMON@home.example\nTo: bot@home.example\nSubject: Undelivered\n"
        "Message-ID: <dsn@home.example>\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nIt could not be delivered.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; home.example\n\n"
        f"Final-Recipient: rfc822; {ANN}\nAction: failed\nStatus: {status}\n"
        "Diagnostic-Code: smtp; no such user\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {message_id}\n\n--b--\n"
    ).encode()


async def test_an_answer_goes_into_its_thread_after_a_restart_too(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("Buy it.", 1, References="", Subject="Milk"))
        await room.until(lambda: room.taken)
    async with room.running() as channel:
        await channel.send(Outbound(7, room.taken[0].address, "Bought."))
        await channel.send(Outbound(8, Address("email", ANN), "# News\n\nIt rains.", kind="message"))
    answer, news = (taken.message for taken in room.smtp.taken)
    assert (answer["Subject"], answer["In-Reply-To"]) == ("Re: Milk", "<m1@example.org>")
    assert (answer["To"], answer["Auto-Submitted"]) == (ANN, "auto-replied")
    assert (news["Subject"], news["In-Reply-To"]) == ("News", None)
    assert (news["To"], news["Auto-Submitted"]) == (ANN, "auto-generated")


async def test_a_mails_id_is_the_same_when_it_is_repeated_and_no_other_mails_though_numbers_come_again(
    room: Mailroom,
) -> None:
    async with room.running() as channel:
        at = Address("email", ANN)
        texts = (
            "News\n\nIt rains.",
            "🔁 (maybe sent twice)\nNews\n\nIt rains.",
            "After a backup was put back.",
        )
        first, again, other = [(await channel.send(Outbound(8, at, text))).ref for text in texts]
    assert first == again
    assert first != other


async def test_a_reply_that_lost_its_references_finds_its_thread(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("Buy it.", 1, References="", Subject="Milk"))
        await room.until(lambda: room.taken)
        receipt = await channel.send(Outbound(7, room.taken[0].address, "Bought."))
        room.imap.deliver(mail("Thanks.", 2, References="", In_Reply_To=receipt.ref))
        await room.until(lambda: len(room.taken) == 2)
    assert room.taken[0].address == room.taken[1].address

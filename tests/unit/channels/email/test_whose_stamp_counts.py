"""The name of the owner's server is learned from its mail, and given up where something speaks against it."""

from __future__ import annotations

from tests.contract.drivers.channel_email import STAMP, mail
from tests.unit.channels.email.mailroom import Mailroom

BOSS = "boss@example.com"


def bare(number: int, **headers: str) -> bytes:
    """A mail that its server did not stamp."""
    lines = mail("bare", number, **headers).splitlines()
    return b"\n".join(line for line in lines if not line.startswith(b"Authentication-Results"))


async def test_it_is_learned_from_mail_that_is_there(room: Mailroom) -> None:
    room.imap.deliver(mail("old", 1))
    async with room.running(authserv_id="") as channel:
        await room.until(lambda: channel.status.up)
        assert channel.status.detail == ""
        room.imap.deliver(mail("new", 2))
        await room.until(lambda: room.taken)
    assert (await room.store.load("authserv_id")) == {"name": STAMP, "sure": True}


async def test_in_an_empty_mailbox_it_is_learned_from_the_first_mail(room: Mailroom) -> None:
    async with room.running(authserv_id="") as channel:
        await room.until(lambda: channel.status.up)
        assert "authserv_id" in channel.status.detail
        room.imap.deliver(mail("first", 1))
        await room.until(lambda: room.taken)
        await room.until(lambda: channel.status.detail == "")


async def test_a_server_that_stamps_nothing_proves_nobody_and_it_is_said_what_to_do(room: Mailroom) -> None:
    room.imap.deliver(bare(1))
    async with room.running(authserv_id="") as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("with a stamp of the sender's own", 2))
        await room.until(lambda: channel.status.notes)
        assert "set `authserv_id`" in channel.status.detail
    assert room.taken == []


async def test_a_stamp_below_the_servers_own_lines_is_shown_and_not_believed(room: Mailroom) -> None:
    forged = b"Received: from evil by mail.home.example\n" + mail("I am Ann", 1).replace(
        STAMP.encode(), b"mx.evil.example"
    )
    async with room.running(authserv_id="") as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(forged)
        await room.until(lambda: channel.status.notes and "mx.evil.example" in channel.status.detail)
    assert room.taken == []


async def test_what_was_learned_is_given_up_when_a_mail_from_outside_has_no_stamp(room: Mailroom) -> None:
    room.imap.deliver(mail("old", 1))
    async with room.running(authserv_id="") as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(bare(2, From=BOSS))
        await room.until(lambda: channel.status.notes)
        room.imap.deliver(mail("new", 3))
        await room.until(lambda: "2 mails" in "".join(channel.status.notes) or len(channel.status.notes) == 2)
        assert STAMP in channel.status.detail
    assert room.taken == []
    assert [line for line in room.told if "authserv_id" in line]
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("now it is configured", 4))
        await room.until(lambda: room.taken)


async def test_mail_within_the_house_may_go_without_a_stamp(room: Mailroom) -> None:
    room.imap.deliver(mail("old", 1))
    async with room.running(authserv_id="") as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(bare(2, From="cron@home.example"))
        room.imap.deliver(mail("new", 3))
        await room.until(lambda: room.taken)
    assert [one.text for one in room.taken] == ["new"]
    assert room.told == []

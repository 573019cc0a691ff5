"""One mail, or one fault, must not hold up the others, and none is lost for a fault that isn't its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import pytest
from aioimaplib import aioimaplib

from bot.ops.liveness import BEAT_SECONDS
from channels.adapters.email.channel import EmailChannel
from channels.adapters.email.imap import Lost, Mailbox, _Wire
from channels.adapters.email.receiver import Pace
from channels.base import Host
from channels.errors import NotSent
from channels.types import Address, Inbound, Outbound
from tests.contract.drivers.channel_email import ANN, mail, settings
from tests.fakes.imap import ImapFake
from tests.fakes.submission import Submission
from tests.unit.channels.email.mailroom import Mailroom


class Choosy(Mailroom):
    """Stores every message but one."""

    async def take(self, batch: Sequence[Inbound]) -> None:
        if any("poison" in one.text for one in batch):
            raise OSError("no such letter")
        await super().take(batch)


@pytest.fixture
async def choosy() -> AsyncIterator[Choosy]:
    async with ImapFake() as imap, Submission() as smtp:
        yield Choosy(imap, smtp)


async def test_a_disk_that_is_full_for_long_costs_no_mail_and_no_word_of_one(room: Mailroom) -> None:
    room.refusals += [OSError("disk full")] * 20
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("all of it", 1))
        await room.until(lambda: room.taken)
        assert [one.text for one in room.taken] == ["all of it"]
        assert channel.status.notes == ()


async def test_a_mail_that_is_never_stored_does_not_hold_up_the_others(choosy: Choosy) -> None:
    async with choosy.running() as channel:
        await choosy.until(lambda: channel.status.up)
        choosy.imap.deliver(mail("poison", 1))
        choosy.imap.deliver(mail("fine", 2))
        await choosy.until(lambda: choosy.taken and channel.status.notes)
        choosy.imap.deliver(mail("later", 3))
        await choosy.until(lambda: len(choosy.taken) == 2 and choosy.imap.mails[2].flags)
    assert [one.text for one in choosy.taken] == ["fine", "later"]
    assert channel.status.notes == ("1 mail kept aside: it could not be stored (no such letter)",)
    assert [bool(one.flags) for one in choosy.imap.mails] == [False, True, True], (
        "what was given up stays unread"
    )
    assert choosy.told == [
        f"A mail of {ANN} could not be stored (no such letter); it is left in the mailbox."
    ]


async def test_while_nothing_can_be_stored_no_mail_is_blamed(choosy: Choosy) -> None:
    async with choosy.running() as channel:
        await choosy.until(lambda: channel.status.up)
        choosy.imap.deliver(mail("poison", 1))
        choosy.imap.deliver(mail("poison too", 2))
        await choosy.until(lambda: choosy.imap.logins > 20)
        assert channel.status.notes == ()
        assert "no such letter" in channel.status.detail


async def test_a_folder_that_can_only_be_read_is_read_on(room: Mailroom) -> None:
    room.imap.read_only = True
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
        room.imap.deliver(mail("one", 1))
        await room.until(lambda: room.taken)
        room.imap.deliver(mail("two", 2))
        await room.until(lambda: len(room.taken) == 2)
        await room.until(lambda: json.loads(room.store.values["cursor"])["uid"] == 2)
    assert room.imap.logins == 1


async def test_a_mail_announced_while_the_stamp_is_learned_is_not_waited_for(room: Mailroom) -> None:
    async with room.running(authserv_id="") as channel:
        await room.until(lambda: channel.status.up)
        room.imap.meanwhile = mail("between", 2)
        room.imap.deliver(mail("first", 1))
        await room.until(lambda: len(room.taken) == 2)


async def test_the_librarys_own_time_out_is_a_lost_connection() -> None:
    async def silent() -> None:
        raise aioimaplib.CommandTimeout(None)

    mailbox = Mailbox(_Wire(asyncio.get_running_loop()))
    with pytest.raises(Lost, match="does not answer"):
        await mailbox._guarded(silent())


async def test_an_account_that_sent_enough_today_goes_on_later(room: Mailroom) -> None:
    async with room.running() as channel:
        room.smtp.refuse("550 5.4.5 Daily user sending limit exceeded")
        with pytest.raises(NotSent, match=r"5\.4\.5") as caught:
            await channel.send(Outbound(1, Address("email", ANN), "Hello."))
    assert caught.value.retry_after == 3600.0


async def test_a_cancellation_that_comes_with_an_answer_is_heeded() -> None:
    answer = asyncio.get_running_loop().create_future()
    mailbox = Mailbox(_Wire(asyncio.get_running_loop()))
    waits = asyncio.create_task(mailbox._guarded(asyncio.wait_for(answer, 5.0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answer.set_result("OK")
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits


async def test_a_line_on_which_each_mail_takes_ten_minutes_is_no_hang(room: Mailroom) -> None:
    async with room.running() as channel:
        await room.until(lambda: channel.status.up)
    for number in range(4):
        room.imap.deliver(mail(f"number {number}", number))

    def monotonic() -> float:
        return 600.0 * sum("BODY.PEEK[]" in command for command in room.imap.commands)

    silences: list[float] = []

    async def take(batch: Sequence[Inbound]) -> None:
        silences.append(monotonic() - (channel.status.beat or 0.0))
        await room.take(batch)

    host = Host((), room.store, None, room.told.append)  # type: ignore[arg-type]  # mail needs no folder
    channel = EmailChannel(settings(room.imap, room.smtp), host, pace=Pace(monotonic=monotonic))
    task = asyncio.create_task(channel.run(take, room.report))
    await room.until(lambda: len(room.taken) == 4)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert max(silences) < BEAT_SECONDS


@pytest.mark.parametrize(("good_for", "then"), [(60.0, [1.0] * 6), (3.0, [1.0, 2.0, 5.0, 15.0, 30.0, 30.0])])
async def test_a_connection_that_is_cut_again_and_again_is_made_anew_soon(
    room: Mailroom, good_for: float, then: list[float]
) -> None:
    passed, waits = 0.0, []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    pace = Pace(sleep=sleep, monotonic=lambda: passed)
    host = Host((), room.store, None, room.told.append)  # type: ignore[arg-type]  # mail needs no folder
    channel = EmailChannel(settings(room.imap, room.smtp), host, pace=pace)
    task = asyncio.create_task(channel.run(room.take, room.report))
    while len(waits) < len(then):
        await room.until(lambda: room.imap.logins > len(waits) and channel.status.up)
        passed += good_for
        cuts = len(waits) + 1
        room.imap.cut()
        await room.until(lambda: len(waits) == cuts)  # noqa: B023 -- called before the next round
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert waits == then

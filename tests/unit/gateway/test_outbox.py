"""Delivery: in order within a session, independent across, repeated until its fate is known, nothing forgotten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import col, select

from bot.gateway.outbox import Outbox
from bot.gateway.people import outgoing
from bot.storage import outbox as rows
from bot.storage.database import Database, Transaction
from bot.storage.tables import Outbox as Row
from bot.storage.tables import OutboxState
from bot.supervisor import Supervisor
from channels.errors import NotSent, Refused, Unknown
from channels.testing import LoopbackChannel
from channels.types import Address, DeliveryReport, Outbound, Receipt


class Stand:
    """An outbox over a real database and a channel in memory."""

    def __init__(self, database: Database, supervisor: Supervisor, channel: LoopbackChannel) -> None:
        self.database = database
        self.channel = channel
        self.outbox = Outbox(database, {"loopback": channel}, supervisor, time.time)

    def rows(self, *texts: str, chat: str = "1") -> list[Row]:
        return [outgoing(Address("loopback", chat), text, time.time()) for text in texts]

    async def stored(self) -> list[tuple[str, str]]:
        def read(s: Transaction) -> list[tuple[str, str]]:
            return [(row.text, str(row.state)) for row in s.exec(select(Row).order_by(col(Row.id)))]

        return await self.database.read(read)

    async def finished(self, chat: str = "1") -> None:
        async with asyncio.timeout(30.0):
            while self.outbox.pending(f"loopback:{chat}"):
                await asyncio.sleep(0.001)


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    async with Supervisor() as made:
        yield made


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


@pytest.fixture
def stand(database: Database, supervisor: Supervisor) -> Stand:
    return Stand(database, supervisor, LoopbackChannel())


async def test_rows_of_a_session_go_out_in_order_and_are_settled(stand: Stand) -> None:
    await stand.outbox.store(stand.rows("a", "b", "c"))
    await stand.finished()
    assert stand.channel.seen() == ["a", "b", "c"]
    assert await stand.stored() == [("a", "sent"), ("b", "sent"), ("c", "sent")]


async def test_a_failing_chat_holds_up_no_other(stand: Stand) -> None:
    stand.channel.fail(NotSent("down"))
    await stand.outbox.store(stand.rows("stuck"))
    await stand.channel.until(lambda: stand.channel.order("failed"))
    await stand.outbox.store(stand.rows("fine", chat="2"))
    await stand.finished("2")
    assert (stand.channel.seen(), stand.channel.seen("2")) == ([], ["fine"])


async def test_what_was_said_meanwhile_goes_out_after_the_answer_that_was_claimed_first(stand: Stand) -> None:
    answer = stand.rows("answer, 1", "answer, 2")
    with stand.outbox.claiming("loopback:1", answer):
        await stand.outbox.store(stand.rows("reply"))
        await stand.database.write(partial(rows.add, rows=answer))
    await stand.finished()
    assert stand.channel.seen() == ["answer, 1", "answer, 2", "reply"]


async def test_an_answer_that_could_not_be_committed_blocks_nothing_after_it(stand: Stand) -> None:
    async def commit() -> None:
        with stand.outbox.claiming("loopback:1", stand.rows("lost")):
            await stand.outbox.store(stand.rows("before"))
            raise LookupError

    with pytest.raises(LookupError):
        await commit()
    await stand.outbox.store(stand.rows("after"))
    await stand.finished()
    assert stand.channel.seen() == ["before", "after"]


async def test_a_channel_that_comes_back_is_tried_at_once(stand: Stand) -> None:
    stand.channel.fail(NotSent("gone"))
    await stand.outbox.store(stand.rows("a"))
    await stand.channel.until(lambda: stand.channel.order("failed"))
    await asyncio.sleep(0.02)
    stand.outbox.nudge("loopback")
    async with asyncio.timeout(0.5):
        await stand.finished()
    assert stand.channel.seen() == ["a"]


async def test_a_channel_that_comes_back_while_the_failure_is_written_down_is_tried_at_once(
    database: Database, supervisor: Supervisor
) -> None:
    class Back(LoopbackChannel):
        async def send(self, out: Outbound) -> Receipt:
            asyncio.get_running_loop().call_soon(at.outbox.nudge, self.kind)
            return await super().send(out)

    at = Stand(database, supervisor, Back())
    at.channel.fail(NotSent("gone"))
    await at.outbox.store(at.rows("a"))
    async with asyncio.timeout(0.5):
        await at.finished()
    assert at.channel.seen() == ["a"]


async def test_an_unknown_outcome_is_repeated_with_a_mark(stand: Stand) -> None:
    stand.channel.fail(Unknown("no answer"), took_effect=True)
    await stand.outbox.store(stand.rows("a"))
    await stand.channel.until(lambda: len(stand.channel.seen()) == 2)
    await stand.finished()
    first, second = stand.channel.seen()
    assert first == "a"
    assert second.startswith("🔁")
    assert second.endswith("\na")


async def test_a_repeat_is_marked_also_where_its_preview_is_gone(stand: Stand) -> None:
    (row,) = stand.rows("a")
    row.edits = "gone"
    stand.channel.fail(Unknown("no answer"), took_effect=True)
    await stand.outbox.store([row])
    await stand.channel.until(lambda: len(stand.channel.seen()) == 2)
    assert stand.channel.seen()[1].startswith("🔁")


async def test_a_repeat_that_replaces_its_preview_needs_no_mark(stand: Stand) -> None:
    (row,) = stand.rows("a")
    row.edits = await stand.channel.preview(Address("loopback", "1"), "…", "")
    stand.channel.fail(Unknown("no answer"), took_effect=True)
    await stand.outbox.store([row])
    await stand.finished()
    assert stand.channel.seen() == ["a"]


async def test_what_is_refused_is_recorded_and_the_next_goes_out(stand: Stand) -> None:
    stand.channel.fail(Refused("blocked"))
    await stand.outbox.store(stand.rows("a", "b"))
    await stand.finished()
    assert await stand.stored() == [("a", "refused"), ("b", "sent")]


async def test_a_fault_in_a_channel_is_logged_and_the_row_repeated(
    database: Database, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(LoopbackChannel):
        faults = 1

        async def send(self, out: Outbound) -> Receipt:
            if self.faults:
                self.faults -= 1
                raise ZeroDivisionError
            return await super().send(out)

    stand = Stand(database, supervisor, Faulty())
    await stand.outbox.store(stand.rows("a", "b"))
    await stand.channel.until(lambda: len(stand.channel.seen()) == 2)
    assert "ZeroDivisionError" in caplog.text
    assert stand.channel.seen()[0].endswith("\na")


async def test_a_row_that_no_channel_bears_does_not_silence_its_chat(
    database: Database, supervisor: Supervisor
) -> None:
    class Faulty(LoopbackChannel):
        async def send(self, out: Outbound) -> Receipt:
            if out.text.endswith("a"):
                raise ZeroDivisionError
            return await super().send(out)

    stand = Stand(database, supervisor, Faulty())
    await stand.outbox.store(stand.rows("a", "b"))
    async with asyncio.timeout(5):
        while not stand.channel.seen():
            stand.outbox.nudge("loopback")
            await asyncio.sleep(0.001)
    await stand.finished()
    assert await stand.stored() == [("a", "refused"), ("b", "sent")]


async def test_a_server_that_asks_for_no_wait_is_not_asked_without_a_pause(stand: Stand) -> None:
    stand.channel.fail(*[NotSent("busy", retry_after=0.0)] * 50)
    await stand.outbox.store(stand.rows("a"))
    await asyncio.sleep(0.05)
    assert len(stand.channel.sends) == 1


async def test_a_restart_repeats_what_was_claimed_and_sends_the_rest(stand: Stand) -> None:
    claimed, queued = stand.rows("claimed", "queued")
    claimed.state = OutboxState.SENDING
    await stand.database.write(partial(rows.add, rows=[claimed, queued]))
    found = await stand.database.write(partial(rows.recover, channels=["loopback"], now=time.time()))
    assert await stand.database.write(partial(rows.recover, channels=["other"], now=time.time())) == []
    stand.outbox.put(found)
    await stand.finished()
    first, second = stand.channel.seen()
    assert first.startswith("🔁")
    assert second == "queued"


@pytest.mark.parametrize("errors", [[], [NotSent("down")]])
async def test_flushing_waits_for_what_is_under_way_but_not_for_a_channel_that_is_down(
    stand: Stand, errors: Sequence[NotSent]
) -> None:
    stand.channel.fail(*errors)
    await stand.outbox.store(stand.rows("a", "b", "c"))
    async with asyncio.timeout(0.5):
        await stand.outbox.flush(5)
    assert stand.channel.seen() == ([] if errors else ["a", "b", "c"])


async def test_a_report_that_comes_before_its_receipt_is_written_down_counts(
    database: Database, supervisor: Supervisor
) -> None:
    class Prompt(LoopbackChannel):
        """Tells what became of a message before its own `send` returns."""

        async def send(self, out: Outbound) -> Receipt:
            receipt = await super().send(out)
            await at.outbox.reported(
                self.kind, DeliveryReport(receipt.ref, out.text == "a", "unknown number")
            )
            return receipt

    at = Stand(database, supervisor, Prompt())
    at.channel.settled = False
    await at.outbox.store(at.rows("a", "b"))
    await at.finished()
    assert await at.stored() == [("a", "sent"), ("b", "refused")]


async def test_what_failed_later_is_not_held_for_a_day(stand: Stand) -> None:
    stand.channel.settled = False
    await stand.outbox.store(stand.rows("a"))
    await stand.finished()
    ref = stand.channel.messages[0].ref
    await stand.outbox.reported("loopback", DeliveryReport(ref, delivered=False, detail="busy", again=True))

    def due(s: Transaction) -> float:
        return s.exec(select(Row.not_before)).one() - time.time()

    assert 10 < await stand.database.read(due) < 300


async def test_what_failed_later_goes_out_in_its_order(stand: Stand) -> None:
    stand.channel.settled = False
    await stand.outbox.store(stand.rows("a", "b"))
    await stand.finished()
    for shown in reversed(stand.channel.messages):
        report = DeliveryReport(shown.ref, delivered=False, detail="closed", again=True)
        await stand.outbox.reported("loopback", report)
        await asyncio.sleep(0.01)
    stand.channel.messages.clear()
    stand.outbox.wake("loopback:1")
    await stand.finished()
    assert stand.channel.seen() == ["a", "b"]


async def test_what_belongs_to_a_channel_that_does_not_run_waits_in_its_row(
    stand: Stand, supervisor: Supervisor
) -> None:
    elsewhere = outgoing(Address("telegram", "1"), "a", time.time())
    await stand.outbox.store([elsewhere])
    await asyncio.sleep(0.01)
    assert (stand.outbox.stuck(), supervisor.names()) == ("", [])
    assert await stand.stored() == [("a", "queued")]

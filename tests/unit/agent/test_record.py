"""A turn's record: whatever the disk refuses and whoever stops waiting, each message is written down exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import col, select

from bot.agent.record import INTERRUPTED, Record, Result
from bot.gateway.people import outgoing
from bot.storage import inbox as rows
from bot.storage.database import Database, Transaction
from bot.storage.inbox import Entry
from bot.storage.tables import Inbox, Message, Outbox, Turn
from channels.types import Address
from providers import types as say
from providers.types import ToolCall

HERE = Address("t", "1")
KEY = str(HERE)
RESULT = Result("Answered", "a/b", [], {})
CALL = say.Message("assistant", tool_calls=(ToolCall("c1", "clock", {}),))


@pytest.fixture
async def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr("bot.storage.database.FIRST_WAIT", 0.001)
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


async def taken(database: Database, *texts: str, private: bool = True) -> list[Inbox]:
    """Stored messages, as the bus hands them over."""
    entries = [
        Entry(
            Inbox(channel="t", key=text, session=KEY, person="ann", sender_name=f"Ms {text}", text=text,
                  sent_at=0.0, received_at=0.0),
            HERE, private,
        )
        for text in texts
    ]  # fmt: skip
    stored = await database.write(partial(rows.store, entries=entries))
    return [entry.row for entry in stored]


async def refuse(database: Database, *, yes: bool) -> None:
    """Have the disk refuse every write from now on, or take them again."""

    def set_it(s: Transaction) -> None:
        s.connection().exec_driver_sql(f"PRAGMA query_only = {int(yes)}")

    await database.read(set_it)


async def begun(database: Database, *texts: str) -> Record:
    stored = await taken(database, *texts)
    record = await Record.begin(database, KEY, None, lambda: 0.0)
    record.enter(stored)
    return record


async def written(database: Database) -> list[tuple[int, str, str]]:
    def read(s: Transaction) -> list[tuple[int, str, str]]:
        return [(m.turn, m.role, m.content) for m in s.exec(select(Message).order_by(col(Message.id)))]

    return await database.read(read)


async def states(database: Database) -> list[tuple[str, int | None]]:
    return await database.read(lambda s: [(str(row.state), row.turn) for row in s.exec(select(Inbox))])


async def finish(record: Record, *texts: str) -> list[Outbox]:
    record.add(say.Message("assistant", "done"))
    out = [outgoing(HERE, text, 0.0) for text in texts]
    await record.finish(out, RESULT)
    return out


async def test_a_finished_turn_settles_its_messages_and_numbers_what_goes_out(database: Database) -> None:
    record = await begun(database, "a", "b")
    out = await finish(record, "one", "two")
    assert await written(database) == [(1, "user", "a\nb"), (1, "assistant", "done")]
    assert await states(database) == [("done", 1), ("done", 1)]
    assert [row.id for row in out] == [1, 2]


async def test_an_ending_that_the_disk_refuses_is_committed_once_it_takes_it(database: Database) -> None:
    record = await begun(database, "a")
    await refuse(database, yes=True)
    finishing = asyncio.ensure_future(finish(record, "one"))
    await asyncio.sleep(0.02)
    assert not finishing.done()
    await refuse(database, yes=False)
    assert [row.id for row in await finishing] == [1]
    assert await written(database) == [(1, "user", "a"), (1, "assistant", "done")]
    assert await states(database) == [("done", 1)]


@pytest.mark.parametrize("refused", [False, True])
async def test_a_preview_recorded_beside_a_step_writes_nothing_twice(
    database: Database, refused: bool
) -> None:
    record = await begun(database, "a")
    await refuse(database, yes=refused)
    preview = asyncio.ensure_future(record.save_preview("77"))
    record.add(CALL)
    saving = asyncio.ensure_future(record.save())
    await asyncio.sleep(0.02)
    await refuse(database, yes=False)
    await asyncio.gather(preview, saving)
    await finish(record)
    turns = await database.read(lambda s: s.exec(select(Turn)).all())
    assert [(turn.preview, str(turn.state)) for turn in turns] == [("77", "done")]
    assert [role for _, role, _ in await written(database)] == ["user", "assistant", "assistant"]


@pytest.mark.parametrize("refused", [False, True])
async def test_a_step_whose_turn_is_stopped_while_it_is_written_is_written_once(
    database: Database, refused: bool
) -> None:
    record = await begun(database, "a")
    record.add(CALL)
    await refuse(database, yes=refused)
    saving = asyncio.ensure_future(record.save())
    await asyncio.sleep(0.01 if refused else 0)
    saving.cancel()
    with suppress(asyncio.CancelledError):
        await saving
    finishing = asyncio.ensure_future(finish(record))
    await asyncio.sleep(0.01)
    await refuse(database, yes=False)
    await finishing
    assert [role for _, role, _ in await written(database)] == ["user", "assistant", "assistant"]
    assert await states(database) == [("done", 1)]


async def test_a_resumed_turn_goes_on_from_its_steps_and_answers_a_call_that_was_cut_off(
    database: Database,
) -> None:
    first = await begun(database, "a")
    first.add(CALL)
    await first.save()
    work = await database.write(partial(rows.recover, channels=["t"], at_once=8))
    record = await Record.begin(database, KEY, work.turns[0], lambda: 0.0)
    record.enter(work.rows, recorded=True)
    assert [(message.role, message.content) for message in record.said] == [
        ("user", "a"),
        ("assistant", ""),
        ("tool", INTERRUPTED),
    ]
    record.enter(await taken(database, "b"))
    await finish(record)
    assert [role for _, role, _ in await written(database)] == [
        "user", "assistant", "tool", "user", "assistant",
    ]  # fmt: skip
    assert await states(database) == [("done", 1), ("done", 1)]


async def test_a_message_that_entered_in_memory_only_is_asked_again_after_a_crash(database: Database) -> None:
    first = await begun(database, "a")
    await first.save()
    first.enter(await taken(database, "b"))
    work = await database.write(partial(rows.recover, channels=["t"], at_once=8))
    assert [(row.text, row.turn) for row in work.rows] == [("a", 1), ("b", None)]


async def test_in_a_group_the_model_reads_who_said_what(database: Database) -> None:
    stored = await taken(database, "a", "b", private=False)
    record = await Record.begin(database, KEY, None, lambda: 0.0)
    record.enter(stored)
    assert record.question == "Ms a: a\nMs b: b"

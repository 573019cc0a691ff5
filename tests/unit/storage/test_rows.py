"""What the tables say at each step of a message's way: taken once, found again after a crash, read as whole turns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import col, select

from bot.gateway.people import outgoing
from bot.safety.rules import Role
from bot.storage import inbox, outbox, people, sessions, turns
from bot.storage.database import Database, Transaction
from bot.storage.inbox import Entry
from bot.storage.outbox import Settled
from bot.storage.tables import Inbox, Message, Outbox, OutboxState, Pairing, Turn
from bot.storage.turns import Ending, Step
from channels.types import Address

HERE = Address("t", "1")
KEY = str(HERE)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "nanobot.db")
    yield opened
    await opened.aclose()


def entry(key: str, at: Address = HERE, now: float = 0.0, person: str = "ann") -> Entry:
    row = Inbox(
        channel=at.channel, key=key, session=str(at), person=person, text=key, sent_at=now, received_at=now
    )
    return Entry(row, at, private=True, replies=[outgoing(at, f"reply to {key}", now)])


async def take(database: Database, *entries: Entry) -> list[Entry]:
    return await database.write(partial(inbox.store, entries=entries))


async def run_turn(database: Database, rows: Sequence[Inbox], *said: str, forget: bool = False) -> Turn:
    """A whole turn over these messages."""
    turn = Turn(session=KEY, path=[], started_at=0.0)
    messages = [Message(session=KEY, turn=0, role="user", content=text, created_at=0.0) for text in said]
    ids = [row.id for row in rows if row.id is not None]
    ending = Ending(Step(messages), [], "Answered", "a/b", [], 1.0, resolved=ids, forget=forget)
    return await database.write(partial(turns.finish, turn=turn, ending=ending))


async def history(database: Database, limit: int = 100) -> list[str]:
    def read(s: Transaction) -> list[str]:
        session = sessions.get(s, KEY)
        assert session is not None
        return [said.content for said in turns.history(s, KEY, session.history_after, limit)]

    return await database.read(read)


async def test_a_message_delivered_twice_is_taken_once(database: Database) -> None:
    first = await take(database, entry("a"), entry("a"), entry("b"))
    again = await take(database, entry("b"), entry("c"), entry("a", Address("other", "1")))
    assert [e.row.key for e in first] == ["a", "b"]
    assert [(e.row.channel, e.row.key) for e in again] == [("t", "c"), ("other", "a")]
    assert await database.read(inbox.waiting) == 4
    assert len(await database.read(lambda s: s.exec(select(Outbox)).all())) == 4


async def test_recovery_finds_the_turns_under_way_and_counts_the_restart(database: Database) -> None:
    a, b, c = (e.row for e in await take(database, entry("a"), entry("b"), entry("c", Address("off", "1"))))
    await run_turn(database, [a], "a")
    begun = Turn(session=KEY, path=[], started_at=0.0)
    await database.write(partial(turns.record, turn=begun, step=Step([], [b.id or 0])))
    work = await database.write(partial(inbox.recover, channels=["t"], at_once=8))
    assert [(row.key, row.turn, row.attempts) for row in work.rows] == [("b", begun.id, 1)]
    assert [turn.id for turn in work.turns] == [begun.id]
    assert (await database.write(partial(inbox.recover, channels=["t"], at_once=8))).rows[0].attempts == 2
    assert (await database.write(partial(inbox.recover, channels=["off"], at_once=8))).rows[0].id == c.id


async def test_a_restart_counts_against_nobody_who_waits_behind_another_persons_turn(
    database: Database,
) -> None:
    a, b = (e.row for e in await take(database, entry("a"), entry("b", person="ben")))
    await database.write(partial(inbox.recover, channels=["t"], at_once=8))
    begun = Turn(session=KEY, path=[], started_at=0.0)
    await database.write(partial(turns.record, turn=begun, step=Step([], [a.id or 0])))
    work = await database.write(partial(inbox.recover, channels=["t"], at_once=8))
    assert [(row.id, row.attempts) for row in work.rows] == [(a.id, 2), (b.id, 0)]


async def test_a_stop_that_was_asked_for_counts_against_no_message(database: Database) -> None:
    await take(database, entry("a"))
    for _ in range(10):
        work = await database.write(partial(inbox.recover, channels=["t"], at_once=8))
        assert [row.attempts for row in work.rows] == [1]
        await database.write(inbox.spare)
    await database.write(inbox.spare)
    assert (await database.write(partial(inbox.recover, channels=["t"], at_once=8))).rows[0].attempts == 1


async def test_history_holds_whole_turns_only_since_the_last_new(database: Database) -> None:
    await take(database, entry("x"))
    await run_turn(database, [], "old")
    await run_turn(database, [], "/new", forget=True)
    assert await history(database) == []
    await run_turn(database, [], "a1", "a2")
    await run_turn(database, [], "b1", "b2")
    assert await history(database) == ["a1", "a2", "b1", "b2"]
    assert await history(database, limit=3) == ["b1", "b2"]


async def test_a_turn_that_is_too_long_to_be_read_whole_is_left_out(database: Database) -> None:
    await take(database, entry("x"))
    await run_turn(database, [], *[f"step {n}" for n in range(10)])
    assert await history(database, limit=5) == []


async def test_a_running_turn_is_not_history(database: Database) -> None:
    await take(database, entry("x"))
    said = Message(session=KEY, turn=0, role="user", content="half", created_at=0.0)
    await database.write(
        partial(turns.record, turn=Turn(session=KEY, path=[], started_at=0.0), step=Step([said]))
    )
    assert await history(database) == []


async def test_a_send_is_settled_and_the_next_claimed_in_one_go(database: Database) -> None:
    first, second = await database.write(
        partial(outbox.add, rows=[outgoing(HERE, "a", 0.0), outgoing(HERE, "b", 0.0)])
    )
    assert first.id is not None
    sent = Settled(first.id, OutboxState.SENT, receipt="7", at=5.0)
    await database.write(partial(outbox.settle, done=sent, claim=second.id))
    found = await database.read(lambda s: s.exec(select(Outbox).order_by(col(Outbox.id))).all())
    assert [(row.state, row.receipt, row.attempts, row.sent_at) for row in found] == [
        (OutboxState.SENT, "7", 1, 5.0),
        (OutboxState.SENDING, "", 0, None),
    ]
    assert await database.read(outbox.counts) == {"sending": 1}
    recovered = await database.write(partial(outbox.recover, channels=["t"], now=0.0))
    assert [(row.text, row.state, row.doubtful) for row in recovered] == [("b", OutboxState.QUEUED, 1)]


async def test_what_a_wrong_clock_put_off_is_tried_after_a_restart(database: Database) -> None:
    held, wrong = outgoing(HERE, "held", 0.0), outgoing(HERE, "wrong", 0.0)
    held.not_before, wrong.not_before = 86_000.0, 3e7
    await database.write(partial(outbox.add, rows=[held, wrong]))
    recovered = await database.write(partial(outbox.recover, channels=["t"], now=0.0))
    assert [row.not_before for row in recovered] == [86_000.0, 0.0]


async def test_what_nothing_is_heard_of_is_given_up(database: Database) -> None:
    early, late = outgoing(HERE, "early", 0.0), outgoing(HERE, "late", 0.0)
    early.state = late.state = OutboxState.RELAYED
    early.sent_at, late.sent_at = 5.0, 7.0
    await database.write(partial(outbox.add, rows=[early, late]))
    await database.write(partial(outbox.give_up_unheard, before=6.0))
    found = await database.read(lambda s: s.exec(select(Outbox).order_by(col(Outbox.id))).all())
    assert [row.state for row in found] == [OutboxState.REFUSED, OutboxState.RELAYED]


async def test_codes_are_few_and_one_for_each_stranger(database: Database) -> None:
    def pairing(sender: str, now: float = 0.0) -> Pairing:
        return Pairing(
            code=f"{sender}@{now}", channel="t", sender=sender, chat="1", created_at=now, expires_at=now + 10
        )

    async def offered(sender: str, now: float = 0.0) -> int:
        reply = outgoing(HERE, "code", now)
        return len(
            await database.write(partial(people.offer, pairing=pairing(sender, now), replies=[reply], most=2))
        )

    assert [await offered(sender) for sender in ("1", "1", "2", "3")] == [1, 0, 1, 0]
    assert await offered("3", now=20.0) == 1
    assert [p.sender for p in await database.read(partial(people.pairings, now=20.0))] == ["3"]
    await database.write(
        partial(people.link, pairing=pairing("3", 20.0), person="cid", role=Role.USER, now=21.0)
    )
    assert await database.read(partial(people.pairings, now=21.0)) == []
    known = await database.read(people.identities)
    assert [(identity.sender, person.name) for identity, person in known] == [("3", "cid")]
    assert not await database.write(partial(people.drop, code="3@20.0"))

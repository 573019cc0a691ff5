"""Export and erasure, row by row: all of one person's, none of another's."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.safety.rules import Role
from bot.storage import people, person_data
from bot.storage.database import Database, Transaction
from bot.storage.tables import (
    Audit,
    AuditPayload,
    ChannelState,
    FactVersion,
    Identity,
    Inbox,
    InboxState,
    Ledger,
    LinkCode,
    Message,
    NoticeState,
    Observation,
    Outbox,
    Person,
    Preference,
    Reminder,
    Session,
    ToolOutput,
    Turn,
    TurnState,
)

GROUP = "chat:-100"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "nanobot.db")
    await database.write(_group)
    for number, name in enumerate(("ann", "bob"), start=1):
        await database.write(partial(_life, name=name, number=number))
    yield database
    await database.aclose()


def _group(s: Transaction) -> None:
    s.add(Session(key=GROUP, channel="chat", chat="-100", private=False, created_at=0, updated_at=0))


def _life(s: Transaction, name: str, number: int) -> None:
    own = f"chat:{number}"
    s.add(Person(name=name, role=Role.USER, created_at=0))
    s.flush()
    s.add(Identity(channel="chat", sender=str(number), person=name, created_at=0))
    s.add(Session(key=own, channel="chat", chat=str(number), person=name, created_at=0, updated_at=0))
    thread = f"mail:{number}:t{number}"
    s.add(
        Session(
            key=thread,
            channel="mail",
            chat=str(number),
            thread=f"t{number}",
            person=name,
            created_at=0,
            updated_at=0,
        )
    )
    s.add(ChannelState(channel="mail", key=f"thread:t{number}", value={"subject": name}, updated_at=0))
    s.add(ChannelState(channel="chat", key=f"chat {number}", value={"said": name}, updated_at=0))
    for session in (own, GROUP):
        turn = Turn(session=session, person=name, state=TurnState.DONE, path=[], started_at=0)
        s.add(turn)
        s.flush()
        assert turn.id is not None
        s.add(_inbox(name, session, turn.id))
        s.add(
            Message(session=session, turn=turn.id, role="user", content=f"{name} in {session}", created_at=0)
        )
        s.add(Outbox(session=session, channel="chat", chat="1", turn=turn.id, text=name, created_at=0))
        handle = f"r{turn.id}-1"
        s.add(
            ToolOutput(handle=handle, session=session, turn=turn.id, tool="t", text=name, trust="own", at=0)
        )
        said: dict[str, Any] = {
            "model": "m",
            "tool": "t",
            "trust": "own",
            "verdict": "yes",
            "ok": True,
            "seconds": 0,
        }
        digests: dict[str, Any] = {"arguments": "d", "result": "d", "digest": "d"}
        s.add(Audit(id=turn.id, at=0, session=session, turn=turn.id, person=name, **said, **digests))
        s.add(AuditPayload(id=turn.id, arguments=name, result=name))
    s.add(Ledger(at=0, session=own, provider="p", model="m", usd=0.5, outcome="answered"))
    s.add(Observation(person=name, session=own, text=name, at=0))
    s.add(FactVersion(owner=name, text=name, why="", at=0))
    s.add(Reminder(person=name, session=own, text=name, since=0))
    s.add(NoticeState(session=own, shown={}, updated_at=0))
    s.add(Preference(person=name, language="Italian"))
    s.add(LinkCode(code=name, person=name, created_at=0, expires_at=0))


def _inbox(name: str, session: str, turn: int) -> Inbox:
    files = [{"kind": "file", "path": f"inbox/{name}/1/a.txt"}]
    return Inbox(
        channel="chat",
        key=f"{name}{session}",
        session=session,
        person=name,
        text=name,
        sent_at=0,
        received_at=0,
        state=InboxState.DONE,
        turn=turn,
        files=files,
    )


def dump(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump())


async def test_an_export_holds_all_of_one_person_and_nothing_of_another(database: Database) -> None:
    rows = await database.read(partial(person_data.of_person, name="ann"))
    assert {table: len(found) for table, found in rows.items()} == {
        "tool_output": 2,
        "message": 2,
        "outbox": 2,
        "inbox": 2,
        "turn": 2,
        "audit_payload": 2,
        "observation": 1,
        "fact_version": 1,
        "reminder": 1,
        "notice_state": 1,
        "preference": 1,
        "link_code": 1,
        "identity": 1,
        "person": 1,
        "channel_state": 2,
        "session": 2,
    }
    assert "bob" not in str(rows)
    assert person_data.files_of(rows) == ["inbox/ann/1/a.txt"]


async def test_erasing_one_person_leaves_the_other_as_they_were(database: Database) -> None:
    bob = await database.read(partial(person_data.of_person, name="bob"))
    gone = await database.write(partial(person_data.erase_person, name="ann"))
    assert sum(gone.values()) == 24
    assert await database.read(partial(person_data.of_person, name="ann")) == {}
    assert await database.read(partial(person_data.of_person, name="bob")) == bob
    left = [line for line in dump(database.path).splitlines() if "'ann" in line]
    assert all(line.startswith('INSERT INTO "audit"') for line in left), left
    assert len(left) == 2


async def test_a_summary_holds_nothing_of_whom_it_was_made_from(database: Database) -> None:
    def sum_up(s: Transaction) -> None:
        for session in (GROUP, "chat:2"):
            s.get_one(Session, session).summary = f"what was said in {session}"

    def summary(s: Transaction, key: str) -> str:
        return s.get_one(Session, key).summary

    await database.write(sum_up)
    await database.write(partial(person_data.erase_person, name="ann"))
    assert await database.read(partial(summary, key=GROUP)) == ""
    assert await database.read(partial(summary, key="chat:2")) == "what was said in chat:2"


async def test_a_chat_that_is_nobodys_since_it_was_unlinked_is_erased_too(database: Database) -> None:
    def said_without_a_turn(s: Transaction) -> None:
        s.add(Outbox(session="chat:1", channel="chat", chat="1", text="what I know of ann", created_at=0))
        s.get_one(Session, "chat:1").pinned = ["call me ann"]

    await database.write(said_without_a_turn)
    await database.write(partial(people.unlink, channel="chat", sender="1"))
    await database.write(partial(person_data.erase_person, name="ann"))
    left = [line for line in dump(database.path).splitlines() if re.search(r"\bann\b|'chat:1'", line)]
    assert all(line.startswith('INSERT INTO "audit"') for line in left), left


async def test_what_was_spent_stays_booked_on_nobody(database: Database) -> None:
    await database.write(partial(person_data.erase_person, name="ann"))
    with closing(sqlite3.connect(database.path)) as connection:
        found = connection.execute("SELECT session, usd FROM ledger ORDER BY id").fetchall()
    assert found == [("", 0.5), ("chat:2", 0.5)]

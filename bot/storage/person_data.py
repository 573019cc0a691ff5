"""Everything that is kept about one person: to be handed over, or erased.

What they wrote in groups is theirs too; the audit log's chain keeps their name beside digests, since it must stay
whole, and loses what lay beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, literal, or_, tuple_, update
from sqlmodel import Session as Db
from sqlmodel import SQLModel, col, select

from bot.storage.tables import (
    Approval,
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
)

_Rule = tuple[type[SQLModel], ColumnElement[bool]]


def _rules(s: Db, name: str) -> list[_Rule]:
    """Which rows are a person's, in an order in which they can be deleted."""
    sessions = _chats(s, name)
    turns = [
        number
        for number in s.exec(
            select(Turn.id).where(or_(col(Turn.session).in_(sessions), col(Turn.person) == name))
        )
        if number is not None
    ]
    audited = [
        number
        for number in s.exec(
            select(Audit.id).where(or_(col(Audit.session).in_(sessions), col(Audit.person) == name))
        )
        if number is not None
    ]
    here = col(Session.key).in_(sessions)
    note = tuple_(col(ChannelState.channel), col(ChannelState.key))
    threads = select(col(Session.channel), literal("thread:") + col(Session.thread)).where(here)
    chats = select(col(Session.channel), literal("chat ") + col(Session.chat)).where(here)
    return [
        (Approval, col(Approval.turn).in_(turns)),
        (ToolOutput, or_(col(ToolOutput.session).in_(sessions), col(ToolOutput.turn).in_(turns))),
        (Message, or_(col(Message.session).in_(sessions), col(Message.turn).in_(turns))),
        (Outbox, or_(col(Outbox.session).in_(sessions), col(Outbox.turn).in_(turns))),
        (
            Inbox,
            or_(col(Inbox.session).in_(sessions), col(Inbox.person) == name, col(Inbox.turn).in_(turns)),
        ),
        (Turn, col(Turn.id).in_(turns)),
        (AuditPayload, col(AuditPayload.id).in_(audited)),
        (Observation, or_(col(Observation.person) == name, col(Observation.session).in_(sessions))),
        (FactVersion, col(FactVersion.owner) == name),
        (Reminder, or_(col(Reminder.person) == name, col(Reminder.session).in_(sessions))),
        (NoticeState, col(NoticeState.session).in_(sessions)),
        (Preference, col(Preference.person) == name),
        (LinkCode, col(LinkCode.person) == name),
        (Identity, col(Identity.person) == name),
        (Person, col(Person.name) == name),
        # What mail keeps of a thread (its subject, its mails' ids) and WhatsApp of a chat (what was said last).
        (ChannelState, or_(note.in_(threads), note.in_(chats))),
        (Session, here),
    ]


def _chats(s: Db, name: str) -> list[str]:
    """A person's chats, and those that are nobody's since this person, who alone wrote there, was unlinked."""
    theirs = select(Turn.session).where(Turn.person == name)
    others = select(Turn.session).where(Turn.person != name)
    left = and_(
        col(Session.private).is_(True),
        col(Session.person) == "",
        col(Session.key).in_(theirs),
        col(Session.key).not_in(others),
    )
    return list(s.exec(select(Session.key).where(or_(col(Session.person) == name, left))))


def of_person(s: Db, name: str) -> dict[str, list[dict[str, Any]]]:
    """Every row about a person, by table; tables that hold nothing are left out."""
    found = {
        str(kind.__tablename__): [_plain(row.model_dump()) for row in s.exec(select(kind).where(where))]
        for kind, where in _rules(s, name)
    }
    return {table: rows for table, rows in found.items() if rows}


def places(s: Db, name: str) -> list[str]:
    """The sessions that are a person's, and those of others in which they wait for an answer."""
    own = s.exec(select(Session.key).where(Session.person == name))
    waits = s.exec(select(Inbox.session).where(Inbox.person == name, Inbox.state == InboxState.QUEUED))
    return sorted({*own, *waits})


def erase_person(s: Db, name: str) -> dict[str, int]:
    """Delete every row about a person; returns how many, by table. What was spent stays booked, on nobody."""
    sessions = _chats(s, name)
    s.execute(update(Ledger).where(col(Ledger.session).in_(sessions)).values(session=""))
    took_part = select(Turn.session).where(Turn.person == name)
    s.execute(update(Session).where(col(Session.key).in_(took_part)).values(summary=""))
    gone = {}
    for kind, where in _rules(s, name):
        count = s.execute(delete(kind).where(where)).rowcount  # type: ignore[attr-defined]  # a cursor's result
        if count:
            gone[str(kind.__tablename__)] = int(count)
    return gone


def files_of(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[str]:
    """The paths below the workspace, or absolute ones, of files that these rows name."""
    came = [one["path"] for row in rows.get("inbox", ()) for one in row["files"] or () if one.get("path")]
    went = [row["file"]["path"] for row in rows.get("outbox", ()) if row["file"]]
    return sorted({*came, *went})


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.value if isinstance(value, Enum) else value for name, value in row.items()}

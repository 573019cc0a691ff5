"""What waits, what was refused, which conversations there are: for the owner to look at and to decide on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, func, select

from bot.storage.tables import Inbox, InboxState, Message, Outbox, OutboxState, Session, Turn

_SHOWN = 200
"""Characters of a text."""


def undelivered(s: Db, most: int, *, everything: bool = False) -> list[dict[str, Any]]:
    """Messages that did not arrive, or are not known to have, the newest first; with `everything` the others too."""
    query = select(Outbox).order_by(col(Outbox.id).desc()).limit(most)
    if not everything:
        states = [OutboxState.QUEUED, OutboxState.SENDING, OutboxState.RELAYED, OutboxState.REFUSED]
        query = query.where(col(Outbox.state).in_(states))
    return [_out(row) for row in s.exec(query)]


def outgoing(s: Db, number: int) -> dict[str, Any] | None:
    row = s.get(Outbox, number)
    return None if row is None else _out(row)


def send_again(s: Db, number: int) -> Outbox | None:
    """Queue a message again that was refused or given up; None where there is none such."""
    row = s.get(Outbox, number)
    if row is None or row.state not in (OutboxState.REFUSED, OutboxState.MOVED):
        return None
    row.state, row.error, row.not_before, row.doubtful = OutboxState.QUEUED, "", 0.0, 0
    s.add(row)
    s.flush()
    return row


def give_up(s: Db, number: int, why: str) -> bool:
    """Deliver a message no more; false where nothing of it waits."""
    row = s.get(Outbox, number)
    if row is None or row.state not in (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.RELAYED):
        return False
    row.state, row.error = OutboxState.REFUSED, why
    s.add(row)
    return True


def unanswered(s: Db, most: int) -> list[dict[str, Any]]:
    """Messages that were taken and are not answered, the oldest first."""
    open_ = [InboxState.QUEUED, InboxState.HELD]
    rows = s.exec(select(Inbox).where(col(Inbox.state).in_(open_)).order_by(col(Inbox.id)).limit(most))
    return [
        {
            "id": row.id,
            "session": row.session,
            "person": row.person,
            "text": row.text[:_SHOWN],
            "state": row.state.value,
            "files": len(row.files or ()),
            "fetching": row.pending,
            "received_at": row.received_at,
            "attempts": row.attempts,
        }
        for row in rows
    ]


def conversations(s: Db, most: int) -> list[dict[str, Any]]:
    """Chats and threads, the last used first."""
    rows = s.exec(select(Session).order_by(col(Session.updated_at).desc()).limit(most)).all()
    keys = [row.key for row in rows]
    said = _count(s, keys)
    turns = dict(
        s.exec(
            select(Turn.session, func.count())
            .where(col(Turn.session).in_(keys), col(Turn.task).is_(None))
            .group_by(col(Turn.session))
        ).all()
    )
    return [
        {
            "session": row.key,
            "person": row.person,
            "private": row.private,
            "model": row.model,
            "messages": said.get(row.key, 0),
            "turns": turns.get(row.key, 0),
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
        for row in rows
    ]


def _count(s: Db, keys: Sequence[str]) -> dict[str, int]:
    found = s.exec(
        select(Message.session, func.count())
        .where(col(Message.session).in_(keys))
        .group_by(col(Message.session))
    )
    return dict(found.all())


def _out(row: Outbox) -> dict[str, Any]:
    return {
        "id": row.id,
        "session": row.session,
        "kind": row.kind,
        "text": row.text[:_SHOWN],
        "file": row.file["name"] if row.file else "",
        "state": row.state.value,
        "error": row.error,
        "attempts": row.attempts,
        "doubtful": row.doubtful,
        "created_at": row.created_at,
        "sent_at": row.sent_at,
        "not_before": row.not_before,
    }

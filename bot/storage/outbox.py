"""Rows to deliver: claimed before a send, settled after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.storage.tables import Outbox, OutboxState, Turn


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one send, as columns: applied to the row `id`."""

    id: int
    state: OutboxState
    receipt: str = ""
    error: str = ""
    at: float | None = None
    not_before: float = 0.0
    doubtful: int = 0


def add(s: Db, rows: Sequence[Outbox]) -> list[Outbox]:
    s.add_all(rows)
    s.flush()
    return list(rows)


def settle(s: Db, done: Settled | None, claim: int | None) -> None:
    """Write down how a send ended, and claim the next row, in one commit."""
    if done is not None:
        row = s.get_one(Outbox, done.id)
        row.state, row.error, row.not_before, row.doubtful = (
            done.state,
            done.error,
            done.not_before,
            done.doubtful,
        )
        row.attempts += 1
        if done.receipt:
            row.receipt, row.sent_at = done.receipt, done.at
    if claim is not None:
        s.get_one(Outbox, claim).state = OutboxState.SENDING


def recover(s: Db, channels: Sequence[str]) -> list[Outbox]:
    """Everything undelivered, oldest first. A row found claimed was cut off in the middle of its send: doubtful."""
    rows = s.exec(
        select(Outbox)
        .where(
            col(Outbox.state).in_([OutboxState.QUEUED, OutboxState.SENDING]),
            col(Outbox.channel).in_(channels),
        )
        .order_by(col(Outbox.id))
    ).all()
    for row in rows:
        if row.state == OutboxState.SENDING:
            row.state = OutboxState.QUEUED
            row.doubtful += 1
    return list(rows)


def counts(s: Db) -> dict[str, int]:
    """Rows by state, the delivered ones left out."""
    rows = s.exec(
        select(Outbox.state, func.count()).where(Outbox.state != OutboxState.SENT).group_by(col(Outbox.state))
    ).all()
    return {str(state): count for state, count in rows}


def last_answer(s: Db, session: str) -> Turn | None:
    """The newest finished turn of a session."""
    return s.exec(
        select(Turn)
        .where(Turn.session == session, col(Turn.ended_at).is_not(None))
        .order_by(col(Turn.id).desc())
    ).first()

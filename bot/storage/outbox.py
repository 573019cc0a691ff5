"""Rows to deliver: claimed before a send, settled after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.safety.rules import Trust, worst
from bot.storage import values
from bot.storage.tables import Message, Outbox, OutboxState, Turn
from channels.types import DeliveryReport

_OUTBOX = values.table(Outbox)
_UPDATE = _OUTBOX.update().where(_OUTBOX.c.id == bindparam("that"))
_DAY = 86_400.0
"""Seconds. Nothing is put off for longer."""
_AGAIN_SECONDS = 60.0
"""After which a message that was accepted and did not arrive is sent again; doubling with each send."""
_SETTLE = _UPDATE.values(attempts=_OUTBOX.c.attempts + 1)


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
    for row in rows:
        values.add(s, row)
    return list(rows)


def settle(s: Db, done: Settled | None, claim: int | None, moved: Sequence[Outbox] = ()) -> None:
    """Write down how a send ended, and claim the next row, in one commit; `moved` takes the place of one given up."""
    for row in moved:
        values.add(s, row)
    if done is not None:
        outcome = {
            "state": done.state,
            "error": done.error,
            "not_before": done.not_before,
            "doubtful": done.doubtful,
            "receipt": done.receipt,
            "sent_at": done.at,
        }
        s.connection().execute(_SETTLE, {"that": done.id, **outcome})
    if claim is not None:
        s.connection().execute(_UPDATE, {"that": claim, "state": OutboxState.SENDING})


def reported(s: Db, channel: str, report: DeliveryReport, now: float) -> Outbox | None:
    """Write down what became of an accepted message; returns its row, None where nobody knows the reference.

    One that failed for now and may be sent again is queued again.
    """
    row = s.exec(
        select(Outbox)
        .where(Outbox.channel == channel, Outbox.receipt == report.ref)
        .order_by(col(Outbox.id).desc())
        .limit(1)
    ).first()
    if row is None or row.state not in (OutboxState.RELAYED, OutboxState.SENT):
        return None
    if report.delivered:
        row.state = OutboxState.SENT
    else:
        row.error, row.doubtful = report.detail, 0
        row.state = OutboxState.QUEUED if report.again else OutboxState.REFUSED
        row.not_before = now + min(_AGAIN_SECONDS * 2 ** min(row.attempts, 20), _DAY)
    s.add(row)
    s.flush()
    s.refresh(row)
    return row


def trust_of_answer(s: Db, session: str, ref: str) -> Trust:
    """Whose words one of our messages holds; of one that isn't known, the worst is assumed. Each chat may number its
    messages by itself, so that a reference says nothing without its session.
    """
    row = s.exec(
        select(Outbox)
        .where(Outbox.session == session, Outbox.receipt == ref)
        .order_by(col(Outbox.id).desc())
        .limit(1)
    ).first()
    if row is None or row.turn is None:
        return Trust.OWN if row is not None and row.kind in ("reply", "notice") else Trust.UNTRUSTED
    labels = s.exec(select(Message.trust).where(Message.turn == row.turn).distinct()).all()
    return worst(*(Trust(label) for label in labels))


def give_up_unheard(s: Db, before: float) -> None:
    """Give up what was relayed before that time (epoch seconds) and of which nothing was reported since."""
    s.execute(
        update(Outbox)
        .where(col(Outbox.state) == OutboxState.RELAYED, col(Outbox.sent_at) < before)
        .values(state=OutboxState.REFUSED, error="it was taken, and nobody ever said that it arrived")
    )


def recover(s: Db, channels: Sequence[str], now: float) -> list[Outbox]:
    """Everything undelivered, oldest first. A row found claimed was cut off in the middle of its send: doubtful. One
    that is put off for longer than anything ever is was so by a clock that went wrong.
    """
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
        if row.not_before > now + _DAY:
            row.not_before = 0.0
    return list(rows)


def enclosed(s: Db) -> frozenset[str]:
    """The files of messages that are still to be delivered."""
    done = (OutboxState.SENT, OutboxState.REFUSED, OutboxState.MOVED)
    found = s.exec(select(Outbox.file).where(col(Outbox.file).is_not(None), col(Outbox.state).not_in(done)))
    return frozenset(file["path"] for file in found if file)


def counts(s: Db) -> dict[str, int]:
    """Rows by state, the delivered ones left out."""
    # Named one by one, since an index finds these and has to be read whole for "not sent".
    others = [state for state in OutboxState if state is not OutboxState.SENT]
    rows = s.exec(
        select(Outbox.state, func.count()).where(col(Outbox.state).in_(others)).group_by(col(Outbox.state))
    ).all()
    return {str(state): count for state, count in rows}


def last_answer(s: Db, session: str) -> Turn | None:
    """The newest finished turn of a session."""
    return s.exec(
        select(Turn)
        .where(Turn.session == session, col(Turn.ended_at).is_not(None))
        .order_by(col(Turn.id).desc())
        .limit(1)
    ).first()

"""A turn's record: its steps as they happen, and the one transaction that ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.storage import sessions
from bot.storage.tables import Inbox, InboxState, Message, NoticeState, Outbox, Turn, TurnState


@dataclass(slots=True)
class Step:
    """What one step of a turn adds to its record. `inbox` are the ids of messages that entered the turn by it."""

    messages: list[Message]
    inbox: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Ending:
    """Everything that a turn's end commits together. `shown` is what its readers then know of failing routes."""

    step: Step
    outbox: list[Outbox]
    outcome: str
    route: str
    path: list[dict[str, Any]]
    ended_at: float
    shown: dict[str, Any]
    resolved: list[int] = field(default_factory=list)
    """Inbox ids that this answer settles."""
    forget: bool = False
    """Whether the conversation up to here leaves the context."""


def record(s: Db, turn: Turn, step: Step) -> Turn:
    """Add a step to the turn, making its row where this is the first; returns it with its id."""
    if turn.id is None:
        s.add(turn)
        s.flush()
    assert turn.id is not None  # noqa: S101 -- given by the flush above
    for message in step.messages:
        message.turn = turn.id
    s.add_all(step.messages)
    _link(s, step.inbox, turn.id)
    return turn


def record_preview(s: Db, turn: Turn, step: Step, ref: str) -> Turn:
    """Remember what the channel shows of the unfinished answer, so that a restart replaces it."""
    record(s, turn, step)
    row = s.get_one(Turn, turn.id)
    row.preview = turn.preview = ref
    return turn


def finish(s: Db, turn: Turn, ending: Ending) -> Turn:
    """Answer, transcript, outbox rows and "done" in one transaction."""
    record(s, turn, ending.step)
    row = s.get_one(Turn, turn.id)
    row.state, row.outcome, row.route = TurnState.DONE, ending.outcome, ending.route
    row.path, row.ended_at = ending.path, ending.ended_at
    for inbox in s.exec(select(Inbox).where(col(Inbox.id).in_(ending.resolved))):
        inbox.state, inbox.turn = InboxState.DONE, turn.id
    for out in ending.outbox:
        out.turn = turn.id
    s.add_all(ending.outbox)
    if ending.shown != shown(s, turn.session):
        _show(s, turn.session, ending.shown, ending.ended_at)
    s.flush()
    if ending.forget:
        sessions.forget_history(s, turn.session)
    return row


def history(s: Db, session: str, after: int, limit: int) -> list[Message]:
    """The last messages of a session's finished turns with an id above `after`, oldest first, whole turns only."""
    rows = s.exec(
        select(Message)
        .join(Turn, col(Message.turn) == col(Turn.id))
        .where(Message.session == session, col(Message.id) > after, Turn.state == TurnState.DONE)
        .order_by(col(Message.id).desc())
        .limit(limit)
    ).all()
    kept = list(reversed(rows))
    if len(kept) == limit:
        # The oldest turn may be cut in two by the limit: leave it out rather than orphan a tool's result.
        first = kept[0].turn
        whole = [row for row in kept if row.turn != first]
        return whole or kept
    return kept


def steps(s: Db, turn: int) -> list[Message]:
    return list(s.exec(select(Message).where(Message.turn == turn).order_by(col(Message.id))).all())


def shown(s: Db, session: str) -> dict[str, Any]:
    """What the readers of a session were last told of its routes."""
    row = s.get(NoticeState, session)
    return dict(row.shown) if row else {}


def _show(s: Db, session: str, state: dict[str, Any], now: float) -> None:
    row = s.get(NoticeState, session)
    if row is None:
        s.add(NoticeState(session=session, shown=state, updated_at=now))
    else:
        row.shown, row.updated_at = state, now


def _link(s: Db, inbox: Sequence[int], turn: int) -> None:
    if inbox:
        for row in s.exec(select(Inbox).where(col(Inbox.id).in_(inbox))):
            row.turn = turn

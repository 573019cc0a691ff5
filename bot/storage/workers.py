"""Work in the background: turns of their own, whose result comes into the session as a message."""

from __future__ import annotations

from sqlmodel import Session as Db
from sqlmodel import col, func, select

from bot.storage import sessions, values
from bot.storage.tables import Inbox, Message, Turn, TurnState


def begin(s: Db, turn: Turn) -> int:
    """Store a task before it starts; returns its number."""
    return values.add(s, turn)


def background(s: Db, session: str = "") -> list[Turn]:
    """Tasks in the background that are under way, of one session or of all; those that wait for a word are not."""
    query = select(Turn).where(
        Turn.state == TurnState.RUNNING, col(Turn.parent).is_(None), col(Turn.task).is_not(None)
    )
    if session:
        query = query.where(Turn.session == session)
    return list(s.exec(query.order_by(col(Turn.id))))


def progress(s: Db, session: str, now: float) -> list[tuple[str, str]]:
    """(line, label) of each task of a session: its number, what it is, how long it runs, how many steps it took; and
    whose words say so.
    """
    lines = []
    for turn in background(s, session):
        steps = s.exec(select(func.count()).where(Message.turn == turn.id, Message.role == "assistant")).one()
        task = turn.task or {}
        what = str(task.get("task", ""))[:120]
        line = f"task {turn.id}: {what} ({now - turn.started_at:.0f} s, {steps} steps)"
        lines.append((line, str(task["trust"])))
    return lines


def deliver(s: Db, turn: Turn, text: str, trust: str, now: float) -> list[Inbox]:
    """The result as a message in its session, once; none where it is there already."""
    session = sessions.get(s, turn.session)
    if session is None:
        return []
    key = f"task:{turn.id}"
    seen = s.exec(select(Inbox.id).where(Inbox.channel == session.channel, Inbox.key == key)).first()
    if seen is not None:
        return []
    row = Inbox(
        channel=session.channel,
        key=key,
        session=session.key,
        person=turn.person,
        text=text,
        trust=trust,
        sent_at=now,
        received_at=now,
    )
    values.add(s, row)
    return [row]

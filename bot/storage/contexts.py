"""What makes a long conversation short: its summary, whole results beside it, and how models count tokens."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import update
from sqlmodel import Session as Db
from sqlmodel import col, func, select

from bot.storage import values
from bot.storage.tables import Calibration, Message, Session, ToolOutput, Turn, TurnState

_CALIBRATION = values.table(Calibration)
_MOST_ROWS = 4000


class Line(NamedTuple):
    """One message, as a summary is made from it."""

    id: int
    turn: int
    role: str
    content: str
    trust: str


class Conversation(NamedTuple):
    """What of a session is in the context now: its summary with the label, and the messages after it."""

    summary: str
    trust: str
    lines: list[Line]


def conversation(s: Db, session: str) -> Conversation:
    """A session up to the first turn that is not over: what comes after it can't be summed up before it is."""
    row = s.get_one(Session, session)
    after = max(row.history_after, row.summarised)
    query = (
        select(Message)
        .join(Turn, col(Message.turn) == col(Turn.id))
        .where(Message.session == session, col(Message.id) > after)
        .where(Turn.state == TurnState.DONE, col(Turn.task).is_(None))
        .order_by(col(Message.id))
        .limit(_MOST_ROWS)
    )
    still_open = first_open(s, session)
    if still_open is not None:
        query = query.where(col(Message.id) < still_open)
    lines = [Line(m.id or 0, m.turn, m.role, m.content, m.trust) for m in s.exec(query)]
    valid = row.summarised > row.history_after
    return Conversation(row.summary if valid else "", row.summary_trust if valid else "own", lines)


def first_open(s: Db, session: str) -> int | None:
    """The first message of a session's turns that are not over: under way, or waiting for somebody's word."""
    return s.exec(
        select(func.min(Message.id))
        .join(Turn, col(Message.turn) == col(Turn.id))
        .where(Turn.session == session, col(Turn.task).is_(None))
        .where(col(Turn.state).in_([TurnState.RUNNING, TurnState.WAITING]))
    ).one()


def summarise(s: Db, session: str, summary: str, trust: str, upto: int) -> None:
    """Let a summary stand for everything up to a message; nothing where the conversation was begun anew meanwhile."""
    s.execute(
        update(Session)
        .where(col(Session.key) == session, col(Session.history_after) < upto, col(Session.summarised) < upto)
        .values(summary=summary, summary_trust=str(trust), summarised=upto)
    )


def pin(s: Db, session: str, rule: str, *, off: bool, most: int) -> str:
    """Pin a rule to a conversation, or take it off; returns why that can't be, "" if it was done."""
    row = s.get_one(Session, session)
    pinned = [one for one in row.pinned or [] if one.casefold() != rule.casefold()]
    if off and len(pinned) == len(row.pinned or []):
        return f"No such rule is pinned; there are: {'; '.join(pinned) or 'none'}."
    if not off and len(pinned) >= most:
        return f"{most} rules are pinned already; take one off first."
    row.pinned = pinned if off else [*pinned, rule]
    s.add(row)
    return ""


def output(s: Db, session: str, handle: str) -> ToolOutput | None:
    """The whole of what a tool said, for the session that it was said in."""
    row = s.get(ToolOutput, handle)
    return row if row is not None and row.session == session else None


def factors(s: Db) -> dict[str, float]:
    return {row.route: row.factor for row in s.exec(select(Calibration))}


def keep_factor(s: Db, route: str, factor: float, now: float) -> None:
    row = {"route": route, "factor": factor, "at": now}
    if not s.connection().execute(_CALIBRATION.update().where(_CALIBRATION.c.route == route), row).rowcount:
        s.connection().execute(_CALIBRATION.insert(), row)

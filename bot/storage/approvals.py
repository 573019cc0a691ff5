"""What waits for somebody's word: asked for, decided, and what goes on afterwards."""

from __future__ import annotations

from sqlmodel import Session as Db
from sqlmodel import col, func, select

from bot.storage.tables import Approval, ApprovalState, Inbox, Turn, TurnState


def decide(s: Db, code: str, person: str, *, yes: bool, now: float) -> Approval | None:
    """Set down what `person` decided; None where there is no such code for them that is still open."""
    found = s.exec(
        select(Approval).where(Approval.code == code, Approval.state == ApprovalState.PENDING)
    ).first()
    if found is None or found.asked_of != person or found.expires_at <= now:
        return None
    found.state = ApprovalState.APPROVED if yes else ApprovalState.DENIED
    found.decided_at, found.decided_by = now, person
    s.add(found)
    return found


def cancel(s: Db, session: str, now: float) -> list[Approval]:
    """Take everything that is asked for in a session as denied: its turn is stopped."""
    found = s.exec(
        select(Approval).where(Approval.session == session, Approval.state == ApprovalState.PENDING)
    ).all()
    for approval in found:
        approval.state, approval.decided_at = ApprovalState.DENIED, now
        s.add(approval)
    return list(found)


def expire(s: Db, now: float) -> list[Approval]:
    """Give up on what nobody decided in time."""
    found = s.exec(
        select(Approval).where(Approval.state == ApprovalState.PENDING, Approval.expires_at <= now)
    ).all()
    for approval in found:
        approval.state, approval.decided_at = ApprovalState.EXPIRED, now
        s.add(approval)
    return list(found)


def pending(s: Db) -> list[Approval]:
    return list(
        s.exec(
            select(Approval).where(Approval.state == ApprovalState.PENDING).order_by(col(Approval.asked_at))
        )
    )


def next_expiry(s: Db) -> float | None:
    return s.exec(select(func.min(Approval.expires_at)).where(Approval.state == ApprovalState.PENDING)).one()


def decided(s: Db) -> list[Approval]:
    """What was decided and whose turn does not know it yet: a restart came in between."""
    return list(
        s.exec(
            select(Approval)
            .join(Turn, col(Approval.turn) == col(Turn.id))
            .where(
                Approval.state != ApprovalState.PENDING,
                col(Approval.used_at).is_(None),
                Turn.state == TurnState.WAITING,
            )
        )
    )


def root(s: Db, number: int) -> tuple[Turn, list[Inbox]]:
    """The turn that everything handed on began with, and the messages that it answers."""
    turn = s.get_one(Turn, number)
    while turn.parent is not None:
        turn = s.get_one(Turn, turn.parent)
    rows = s.exec(select(Inbox).where(Inbox.turn == turn.id).order_by(col(Inbox.id))).all()
    return turn, list(rows)

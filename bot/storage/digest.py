"""What a day held, counted."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlmodel import Session as Db
from sqlmodel import SQLModel, col, func, select

from bot.storage.tables import (
    Approval,
    ApprovalState,
    Inbox,
    Job,
    Ledger,
    Outbox,
    OutboxState,
    Reminder,
    Turn,
    TurnState,
)


@dataclass(frozen=True, slots=True)
class Day:
    """`usd` is None where no call had a price. `failing` are the jobs whose last run failed, with their reasons."""

    messages: int
    turns: int
    failed_turns: int
    calls: int
    usd: float | None
    refused: int
    undelivered: int
    asked: int
    reminders: int
    failing: list[tuple[str, str]]


def day(s: Db, since: float, now: float) -> Day:
    """From `since` to `now`, in epoch seconds."""

    def count(what: type[SQLModel], *where: ColumnElement[bool]) -> int:
        return int(s.exec(select(func.count()).select_from(what).where(*where)).one())

    usd = s.exec(select(func.sum(Ledger.usd)).where(Ledger.at >= since)).one()
    mine = (col(Turn.ended_at) >= since, col(Turn.state) == TurnState.DONE, col(Turn.task).is_(None))
    return Day(
        messages=count(Inbox, col(Inbox.received_at) >= since),
        turns=count(Turn, *mine),
        failed_turns=count(Turn, *mine, col(Turn.outcome).in_(["NoModelLeft", "Failed", "OutOfTime"])),
        calls=count(Ledger, col(Ledger.at) >= since),
        usd=usd,
        refused=count(Outbox, col(Outbox.created_at) >= since, col(Outbox.state) == OutboxState.REFUSED),
        undelivered=count(Outbox, col(Outbox.state) == OutboxState.QUEUED, col(Outbox.error) != ""),
        asked=count(Approval, col(Approval.state) == ApprovalState.PENDING, col(Approval.expires_at) > now),
        reminders=count(Reminder, col(Reminder.due_at) >= now, col(Reminder.due_at) < now + 86_400),
        failing=[(job.name, job.outcome) for job in s.exec(select(Job).where(col(Job.failed).is_(True)))],
    )

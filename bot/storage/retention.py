"""Forgetting what is older than its owner wants it kept, a slice at a time: a slice holds up nobody's message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, exists, text
from sqlmodel import Session as Db
from sqlmodel import SQLModel, col, select

from bot.storage.tables import (
    Approval,
    ApprovalState,
    Audit,
    AuditPayload,
    FactVersion,
    Inbox,
    InboxState,
    Ledger,
    Message,
    Observation,
    Outbox,
    OutboxState,
    ToolOutput,
    Turn,
    TurnState,
)

SLICE = 500
"""Rows that one transaction deletes."""
_PAGES = 2_000
"""Pages that one transaction gives back to the disk: eight megabytes."""


class Rule(NamedTuple):
    """Which rows go: those of `table` that are older than `before` (epoch seconds) and not needed any more."""

    table: type[SQLModel]
    old: Callable[[float], ColumnElement[bool]]


def _of_finished_turn() -> ColumnElement[bool]:
    return exists(select(Turn.id).where(col(Turn.id) == col(Message.turn), col(Turn.state) == TurnState.DONE))


RULES: Mapping[str, tuple[Rule, ...]] = {
    # The order is that of the references: what points to a turn goes before it.
    "messages": (
        Rule(Message, lambda before: and_(col(Message.created_at) < before, _of_finished_turn())),
        Rule(
            Outbox,
            lambda before: and_(
                col(Outbox.created_at) < before,
                col(Outbox.state).in_([OutboxState.SENT, OutboxState.REFUSED, OutboxState.MOVED]),
            ),
        ),
        Rule(
            Inbox, lambda before: and_(col(Inbox.received_at) < before, col(Inbox.state) == InboxState.DONE)
        ),
        Rule(
            Approval,
            lambda before: and_(
                col(Approval.asked_at) < before, col(Approval.state) != ApprovalState.PENDING
            ),
        ),
        Rule(
            Turn,
            lambda before: and_(
                col(Turn.ended_at) < before,
                col(Turn.state) == TurnState.DONE,
                ~exists(select(Message.id).where(col(Message.turn) == col(Turn.id))),
                ~exists(select(Outbox.id).where(col(Outbox.turn) == col(Turn.id))),
                ~exists(select(Inbox.id).where(col(Inbox.turn) == col(Turn.id))),
                ~exists(select(Approval.id).where(col(Approval.turn) == col(Turn.id))),
            ),
        ),
    ),
    "tool_outputs": (Rule(ToolOutput, lambda before: col(ToolOutput.at) < before),),
    # The chain itself stays whole; what lies beside it may go.
    "audit_details": (
        Rule(
            AuditPayload,
            lambda before: exists(
                select(Audit.id).where(col(Audit.id) == col(AuditPayload.id), col(Audit.at) < before)
            ),
        ),
    ),
    "usage": (Rule(Ledger, lambda before: and_(col(Ledger.at) < before, col(Ledger.outcome) != "")),),
    "memory_versions": (
        Rule(
            FactVersion,
            # The newest of each file is what a restore begins with.
            lambda before: and_(
                col(FactVersion.at) < before,
                col(FactVersion.id).not_in(select(text("max(id) from fact_version group by owner"))),
            ),
        ),
        Rule(
            Observation,
            lambda before: and_(col(Observation.at) < before, col(Observation.reflected_at).is_not(None)),
        ),
    ),
}
"""By the names of `[retention]`."""


def drop_old_rows(s: Db, rule: Rule, before: float) -> int:
    """Delete one slice of a rule's rows; returns how many there were."""
    key = next(iter(rule.table.__table__.primary_key.columns))  # type: ignore[attr-defined]  # SQLModel hides it
    found = s.execute(select(key).where(rule.old(before)).limit(SLICE)).scalars().all()
    if found:
        s.execute(delete(rule.table).where(key.in_(found)))
    return len(found)


def give_back_pages(s: Db) -> bool:
    """Give a slice of free pages back to the disk; false where none is left, or the file was made without that."""
    free = int(s.execute(text("PRAGMA freelist_count")).scalar_one())
    mode = int(s.execute(text("PRAGMA auto_vacuum")).scalar_one())
    if mode != 2 or free == 0:
        return False
    driver: Any = s.connection().connection.dbapi_connection
    for _ in range(min(free, _PAGES)):
        # The driver takes one step of a statement without rows, and each page is a step: so one page at a time.
        driver.execute("PRAGMA incremental_vacuum(1)")
    return free > _PAGES

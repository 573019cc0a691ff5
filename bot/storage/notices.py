"""Readers who were told that a model failed, and telling them that it is back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.storage import values
from bot.storage.tables import Inbox, InboxState, NoticeState, Outbox, Session


@dataclass(frozen=True, slots=True)
class Recovery:
    """The line for one session, and what its readers know then; `was` is what they knew when it was decided."""

    session: str
    was: Mapping[str, Any]
    line: str
    shown: Mapping[str, Any]


def known(s: Db) -> dict[str, dict[str, Any]]:
    """What the readers of each session were last told."""
    return {row.session: dict(row.shown) for row in s.exec(select(NoticeState))}


def recovered(s: Db, *, recoveries: Sequence[Recovery], now: float) -> list[Outbox]:
    """Note what is told, and store the rows that tell it.

    Left out are sessions that were told something else meanwhile, and those of which a message is being answered:
    its turn, which may have read the old state, tells it itself or leaves it to the next look.
    """
    told: list[Outbox] = []
    for one in recoveries:
        row, session = s.get(NoticeState, one.session), s.get(Session, one.session)
        if row is None or session is None or row.shown != one.was or _answering(s, one.session):
            continue
        row.shown, row.updated_at = dict(one.shown), now
        s.add(row)
        told.append(
            Outbox(
                session=session.key,
                channel=session.channel,
                chat=session.chat,
                thread=session.thread,
                kind="notice",
                text=one.line,
                created_at=now,
            )
        )
    for out in told:
        values.add(s, out)
    return told


def _answering(s: Db, session: str) -> bool:
    queued = select(Inbox.id).where(Inbox.session == session, col(Inbox.state) == InboxState.QUEUED)
    return s.exec(queued.limit(1)).first() is not None

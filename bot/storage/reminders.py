"""Reminders: set, listed and cancelled by their person, and fired when they are due, once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import and_, delete, tuple_, update
from sqlmodel import Session as Db
from sqlmodel import col, func, or_, select
from sqlmodel.sql.expression import Select

from bot.storage import values
from bot.storage.sessions import address_of
from bot.storage.tables import Inbox, Outbox, Reminder, Session

_KEPT_SECONDS = 30 * 86_400.0
"""How long one that was due for the last time is kept."""


class Reach(NamedTuple):
    """Whose reminders may fire: those of people we know, in chats whose channel runs, and in a chat of their own where
    the channel still knows them (`places`: channel and person).
    """

    channels: Collection[str]
    people: Collection[str]
    places: Collection[tuple[str, str]]


class Next(NamedTuple):
    """What is to be said of a reminder that is due, and when it is due again."""

    text: str
    due_at: float | None


@dataclass(slots=True)
class Fired:
    """What was due: rows to send, and rows to answer."""

    outbox: list[Outbox] = field(default_factory=list)
    inbox: list[Inbox] = field(default_factory=list)


def add(s: Db, row: Reminder, most: int) -> int | None:
    """Set a reminder; returns its number, None where its person has `most` already."""
    count = select(func.count()).where(Reminder.person == row.person, col(Reminder.due_at).is_not(None))
    if s.exec(count).one() >= most:
        return None
    return values.add(s, row)


def of_person(s: Db, person: str, session: str, since: float) -> list[Reminder]:
    """Those still to come, the next one first, then those that were due for the last time after `since`; of one session
    where it is not "".
    """
    query = select(Reminder).where(Reminder.person == person)
    if session:
        query = query.where(Reminder.session == session)
    coming = query.where(col(Reminder.due_at).is_not(None)).order_by(col(Reminder.due_at), col(Reminder.id))
    over = query.where(col(Reminder.due_at).is_(None), col(Reminder.fired_at) > since)
    return [*s.exec(coming), *s.exec(over.order_by(col(Reminder.fired_at)))]


def coming(s: Db) -> list[Reminder]:
    """Everybody's that are still to come, the next one first."""
    query = select(Reminder).where(col(Reminder.due_at).is_not(None))
    return list(s.exec(query.order_by(col(Reminder.due_at), col(Reminder.id))))


def waiting(s: Db) -> list[Reminder]:
    """Those that came with an import and are never due until somebody confirms them."""
    query = select(Reminder).where(col(Reminder.due_at).is_(None), col(Reminder.fired_at).is_(None))
    return list(s.exec(query.order_by(col(Reminder.id))))


def confirm(s: Db, number: int, due: Callable[[Reminder], float]) -> Reminder | None:
    """Have one that waits fire; None where none of this number does. Raises what `due` raises."""
    row = s.get(Reminder, number)
    if row is None or row.due_at is not None or row.fired_at is not None:
        return None
    row.due_at = due(row)
    s.add(row)
    return row


def discard(s: Db, number: int) -> Reminder | None:
    """Drop one that waits; None where none of this number does."""
    row = s.get(Reminder, number)
    if row is None or row.due_at is not None or row.fired_at is not None:
        return None
    s.delete(row)
    return row


def cancel(s: Db, number: int, person: str, session: str) -> Reminder | None:
    """Drop a person's reminder (of this session, where it is not ""); None where they have none of this number."""
    row = s.get(Reminder, number)
    if row is None or row.due_at is None or row.person != person or session not in ("", row.session):
        return None
    s.delete(row)
    return row


def astray(s: Db, reach: Reach) -> list[Reminder]:
    """Those still to come that can't fire, since a private chat's channel doesn't run or is no longer the person's."""
    there = [row.id for row, _ in s.exec(_reachable(reach))]
    query = (
        select(Reminder)
        .join(Session, col(Session.key) == col(Reminder.session))
        .where(col(Reminder.person).in_(reach.people), col(Reminder.due_at).is_not(None))
        .where(col(Session.private).is_(True))
    )
    return [row for row in s.exec(query) if row.id not in there]


def move(s: Db, number: int, session: str) -> None:
    """Have a reminder fire in another session."""
    s.execute(update(Reminder).where(col(Reminder.id) == number).values(session=session))


def retime(s: Db, due: Callable[[Reminder], float | None]) -> None:
    """Reckon anew when those with cron fields are due: their person may be in another time zone now."""
    for row in s.exec(select(Reminder).where(Reminder.cron != "", col(Reminder.due_at).is_not(None))):
        row.due_at = due(row)
        s.add(row)


def next_due(s: Db, reach: Reach, now: float) -> float | None:
    """When there is something to `fire`, at the earliest; None where nothing is set."""
    if s.exec(_reachable(reach).where(col(Reminder.fired_at) > now).limit(1)).first() is not None:
        return now
    found = s.exec(_reachable(reach).order_by(col(Reminder.due_at)).limit(1)).first()
    return found[0].due_at if found is not None else None


def fire(s: Db, reach: Reach, now: float, say: Callable[[Reminder], Next]) -> Fired:
    """What is due goes out and is due again at its next time, in one transaction: a kill neither repeats nor loses it.

    One that fired later than now did so by a clock that was wrong; only its next time is reckoned anew.
    """
    fired = Fired()
    due = _reachable(reach).where(or_(col(Reminder.due_at) <= now, col(Reminder.fired_at) > now))
    for row, session in s.exec(due.order_by(col(Reminder.due_at), col(Reminder.id))).all():
        said, at = say(row), row.due_at or now
        row.due_at, row.fired_at = said.due_at, now
        s.add(row)
        if at > now:
            continue
        if row.task:
            fired.inbox.append(_asked(row, session, said.text, at, now))
            values.add(s, fired.inbox[-1])
        else:
            fired.outbox.append(_told(session, said.text, now))
            values.add(s, fired.outbox[-1])
    over = (col(Reminder.due_at).is_(None), col(Reminder.fired_at) < now - _KEPT_SECONDS)
    s.execute(delete(Reminder).where(*over))
    return fired


def _reachable(reach: Reach) -> Select[Reminder, Session]:
    """Those still to come that may fire, with the chats that they belong to: a private one must be their person's."""
    own = tuple_(col(Session.channel), col(Reminder.person)).in_(list(reach.places))
    return (
        select(Reminder, Session)
        .join(Session, col(Session.key) == col(Reminder.session))
        .where(col(Session.channel).in_(reach.channels), col(Reminder.person).in_(reach.people))
        .where(or_(col(Session.private).is_(False), and_(col(Session.person) == col(Reminder.person), own)))
        .where(col(Reminder.due_at).is_not(None))
    )


def _told(session: Session, text: str, now: float) -> Outbox:
    at = address_of(session)
    return Outbox(
        session=session.key,
        channel=at.channel,
        chat=at.chat,
        thread=at.thread,
        kind="message",
        text=text,
        created_at=now,
    )


def _asked(row: Reminder, session: Session, text: str, at: float, now: float) -> Inbox:
    """A task, as its person's own message: they set it, or somebody who may had allowed it."""
    return Inbox(
        channel=session.channel,
        key=f"reminder:{row.id}:{at:.0f}",
        session=session.key,
        person=row.person,
        text=text,
        sent_at=at,
        received_at=now,
    )

"""What an older program left, put into the tables: finished turns, and reminders that wait for a yes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.storage import origins, sessions, values
from bot.storage.tables import Message, Reminder, Session, Turn, TurnState
from channels.types import Address

OUTCOME = "imported"
"""Of turns that another program took."""


@dataclass(frozen=True, slots=True)
class PastMessage:
    role: str
    text: str
    at: float
    trust: str


@dataclass(frozen=True, slots=True)
class PastTalk:
    """A conversation of old; its turns begin with what was asked."""

    address: Address
    person: str
    private: bool
    turns: Sequence[Sequence[PastMessage]]


@dataclass(slots=True)
class Stored:
    talks: int = 0
    messages: int = 0
    known: int = 0
    """Conversations that had been imported before, or go on here already."""
    reminders: int = 0


def store(
    s: Db, talks: Iterable[PastTalk], reminders: Iterable[Reminder], untrusted: Iterable[str], now: float
) -> Stored:
    """All of it in one transaction. What is there already stays as it is, so that a second import adds nothing."""
    done = Stored()
    for talk in talks:
        if _has_history(s, str(talk.address)):
            done.known += 1
        else:
            _talk(s, talk)
            done.talks += 1
            done.messages += sum(map(len, talk.turns))
    for row in reminders:
        if not _is_there(s, row):
            if s.get(Session, row.session) is None:
                channel, _, chat = row.session.partition(":")
                sessions.touch(s, Address(channel, chat), row.person, private=True, now=now)
            values.add(s, row)
            done.reminders += 1
    origins.mark(s, untrusted, now)
    return done


def _has_history(s: Db, key: str) -> bool:
    return s.exec(select(Message.id).where(Message.session == key).limit(1)).first() is not None


def _is_there(s: Db, row: Reminder) -> bool:
    same = select(Reminder.id).where(
        Reminder.person == row.person,
        Reminder.text == row.text,
        Reminder.every == row.every,
        Reminder.cron == row.cron,
        col(Reminder.session) == row.session,
    )
    return s.exec(same).first() is not None


def _talk(s: Db, talk: PastTalk) -> None:
    key = str(talk.address)
    last = max(message.at for turn in talk.turns for message in turn)
    sessions.touch(s, talk.address, talk.person, private=talk.private, now=last)
    for turn in talk.turns:
        row = Turn(
            session=key,
            person=talk.person,
            state=TurnState.DONE,
            outcome=OUTCOME,
            path=[],
            started_at=turn[0].at,
            ended_at=turn[-1].at,
        )
        number = values.add(s, row)
        messages = [
            Message(
                session=key, turn=number, role=one.role, content=one.text, trust=one.trust, created_at=one.at
            )
            for one in turn
        ]
        values.add_all(s, messages)
    newest = s.exec(select(Message.id).where(Message.session == key).order_by(col(Message.id).desc())).first()
    # The old program's own memory comes along: nothing of this is to be gone through for facts again.
    session = s.get_one(Session, key)
    session.observed = newest or 0
    s.add(session)

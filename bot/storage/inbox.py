"""Taking messages in. Functions of a transaction; run by `Database`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import bindparam, func, update
from sqlmodel import Session, col, select

from bot.storage import origins, sessions, values
from bot.storage.tables import Inbox, InboxState, Outbox, Turn, TurnState
from channels.types import Address

_INBOX = values.table(Inbox)
_SEEN = (
    _INBOX.select()
    .with_only_columns(_INBOX.c.id)
    .where(_INBOX.c.channel == bindparam("channel"), _INBOX.c.key == bindparam("key"))
)

Effect = Callable[[Session], None]
"""A change that belongs to the same transaction."""


@dataclass(slots=True)
class Entry:
    """One message to store, with what its taking already settles (a command's replies and effect).

    `act` is what a command does once it is stored; it returns a reply, "" for none.
    """

    row: Inbox
    address: Address
    private: bool
    replies: list[Outbox] = field(default_factory=list)
    effect: Effect | None = None
    act: Callable[[], str] | None = None
    replaces: str = ""
    """Reference of the unanswered message of which this is the newer version."""


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What a restart finds: turns that were under way, and every message not yet answered, oldest first.

    A turn of which no message is left was cut off after its writer had changed what it answers.
    """

    turns: list[Turn]
    rows: list[Inbox]


def store(s: Session, entries: Sequence[Entry]) -> list[Entry]:
    """Store what was not seen before; returns those entries, their rows with ids."""
    new = []
    connection = s.connection()
    for entry in entries:
        known_as = {"channel": entry.row.channel, "key": entry.row.key}
        if connection.execute(_SEEN, known_as).first() is not None:
            continue
        sessions.touch(s, entry.address, entry.row.person, private=entry.private, now=entry.row.received_at)
        values.add(s, entry.row)
        for reply in entry.replies:
            values.add(s, reply)
        if entry.effect is not None:
            entry.effect(s)
        if entry.replaces:
            _supersede(s, entry.row, entry.replaces)
        new.append(entry)
    return new


def recover(s: Session, channels: Sequence[str], at_once: int) -> OpenWork:
    """Everything unanswered on these channels. Counts the restart against the messages that may have been under way:
    those that a turn had taken, and in the first `at_once` sessions, which have their turns first, those of the person
    who is answered there first.
    """
    rows = s.exec(
        select(Inbox)
        .where(Inbox.state == InboxState.QUEUED, col(Inbox.channel).in_(channels))
        .order_by(col(Inbox.id))
    ).all()
    begun: dict[str, str] = {}
    for row in rows:
        if row.turn is not None or (len(begun) < at_once and not row.pending):
            begun.setdefault(row.session, row.person)
        if row.turn is not None or begun.get(row.session) == row.person:
            row.attempts += 1
    asked = select(Turn).where(col(Turn.task).is_(None), col(Turn.parent).is_(None))
    turns = s.exec(asked.where(Turn.state == TurnState.RUNNING).order_by(col(Turn.id))).all()
    return OpenWork([turn for turn in turns if turn.session.partition(":")[0] in channels], list(rows))


def spare(s: Session) -> None:
    """Take back what the next start will count against each message: this stop was asked for."""
    s.execute(
        update(Inbox)
        .where(col(Inbox.state) == InboxState.QUEUED, col(Inbox.attempts) > 0)
        .values(attempts=Inbox.attempts - 1)
    )


def following(s: Session, channels: Sequence[str], above: int, most: int) -> list[Inbox]:
    """The next messages above an id that wait for a turn of their own, oldest first."""
    return list(
        s.exec(
            select(Inbox)
            .where(Inbox.state == InboxState.QUEUED, col(Inbox.channel).in_(channels), col(Inbox.id) > above)
            .where(col(Inbox.turn).is_(None))
            .order_by(col(Inbox.id))
            .limit(most)
        )
    )


def brought(s: Session, row: Inbox, paths: Sequence[str], now: float) -> bool:
    """A message's files are where they will be; they hold words from outside. False where it was erased meanwhile."""
    if s.get(Inbox, row.id) is None:
        return False
    values.change(s, row, "files", "pending")
    origins.mark(s, paths, now)
    return True


def _supersede(s: Session, row: Inbox, ref: str) -> None:
    """Settle what `row` is the newer version of."""
    s.execute(
        update(Inbox)
        .where(col(Inbox.state) == InboxState.QUEUED, col(Inbox.session) == row.session)
        .where(col(Inbox.ref) == ref, col(Inbox.id) != row.id)
        .values(state=InboxState.DONE)
    )


def waiting(s: Session) -> int:
    """How many messages are taken and not yet answered."""
    return s.exec(select(func.count()).select_from(Inbox).where(Inbox.state == InboxState.QUEUED)).one()

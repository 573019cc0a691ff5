"""Conversations: one row per chat, topic or thread."""

from __future__ import annotations

from sqlalchemy import bindparam, func
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.storage import values
from bot.storage.tables import Message, Session
from channels.types import Address

_SESSION = values.table(Session)
_FIND = _SESSION.select().where(_SESSION.c.key == bindparam("that"))
_TOUCH = _SESSION.update().where(_SESSION.c.key == bindparam("that"))


def touch(s: Db, address: Address, person: str, *, private: bool, now: float) -> None:
    """See to it that there is a session at this address, and note that something happened in it, and whose it is: who
    writes in a private chat may be known by another name than before.
    """
    key = str(address)
    whose = person if private else ""
    if s.connection().execute(_TOUCH, {"that": key, "updated_at": now, "person": whose}).rowcount:
        return
    row = Session(
        key=key,
        channel=address.channel,
        chat=address.chat,
        thread=address.thread,
        person=whose,
        private=private,
        created_at=now,
        updated_at=now,
    )
    values.add_all(s, [row])


def get(s: Db, key: str) -> Session | None:
    """The session as a value: what is changed of it stays with the caller."""
    return values.one(s, Session, _FIND, that=key)


def private_of(s: Db, person: str) -> list[Session]:
    """The private chats of a person, the last used first."""
    return list(
        s.exec(
            select(Session)
            .where(Session.person == person, col(Session.private).is_(True))
            .order_by(col(Session.updated_at).desc())
        )
    )


def count(s: Db, since: float) -> tuple[int, int]:
    """How many there are, and in how many something happened since then (epoch seconds)."""
    used = func.count().filter(col(Session.updated_at) >= since)
    return s.exec(select(func.count(), used).select_from(Session)).one()


def choose_model(s: Db, key: str, model: str) -> None:
    """Set the user's strict choice; empty means automatic."""
    row = s.get_one(Session, key)
    row.model = model


def forget_history(s: Db, key: str) -> None:
    """Start afresh: what was said so far, here or in the person's other chats, leaves the context only."""
    row = s.get_one(Session, key)
    last = s.exec(select(func.max(col(Message.id)))).one()
    row.history_after = last or 0


def address_of(row: Session) -> Address:
    return Address(row.channel, row.chat, row.thread)

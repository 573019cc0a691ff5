"""Who may write: people, their identities, and the codes that strangers were shown."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.safety.rules import Role
from bot.storage.tables import Identity, Outbox, Pairing, Person


def identities(s: Db) -> list[tuple[Identity, Person]]:
    return list(s.exec(select(Identity, Person).join(Person, col(Identity.person) == col(Person.name))).all())


def pairings(s: Db, now: float) -> list[Pairing]:
    """The codes still valid, oldest first."""
    return list(
        s.exec(select(Pairing).where(Pairing.expires_at > now).order_by(col(Pairing.created_at))).all()
    )


def offer(s: Db, pairing: Pairing, replies: Sequence[Outbox], *, most: int) -> list[Outbox]:
    """Store a code and the message that shows it, unless this sender holds one or `most` are pending already."""
    s.execute(delete(Pairing).where(col(Pairing.expires_at) <= pairing.created_at))
    pending = s.exec(select(Pairing)).all()
    if len(pending) >= most or any(
        (p.channel, p.sender) == (pairing.channel, pairing.sender) for p in pending
    ):
        return []
    s.add(pairing)
    s.add_all(replies)
    s.flush()
    return list(replies)


def link(s: Db, pairing: Pairing, person: str, role: Role, now: float) -> Identity:
    """Turn a code into an identity of `person`, who is made where there is none."""
    if s.get(Person, person) is None:
        s.add(Person(name=person, role=role, created_at=now))
        s.flush()
    identity = Identity(channel=pairing.channel, sender=pairing.sender, person=person, created_at=now)
    s.merge(identity)
    s.execute(delete(Pairing).where(col(Pairing.code) == pairing.code))
    return identity


def drop(s: Db, code: str) -> bool:
    """Refuse a code; false if there is none."""
    row = s.get(Pairing, code)
    if row is None:
        return False
    s.delete(row)
    return True

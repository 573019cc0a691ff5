"""Who may write: people, their identities, the codes that let more of them in, the groups they invited us to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.safety.rules import Role
from bot.storage import sessions, values
from bot.storage.tables import (
    GroupChat,
    Identity,
    LinkCode,
    Outbox,
    Pairing,
    Person,
    Preference,
    Reminder,
    Session,
)
from channels.types import Address


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
    identity = Identity(channel=pairing.channel, sender=pairing.sender, person=person, created_at=now)
    _identify(s, identity, role)
    return identity


def _identify(s: Db, identity: Identity, role: Role) -> None:
    if s.get(Person, identity.person) is None:
        s.add(Person(name=identity.person, role=role, created_at=identity.created_at))
        s.flush()
    s.merge(identity)
    s.execute(
        delete(Pairing).where(
            col(Pairing.channel) == identity.channel, col(Pairing.sender) == identity.sender
        )
    )


def drop(s: Db, code: str) -> bool:
    """Refuse a code; false if there is none."""
    row = s.get(Pairing, code)
    if row is None:
        return False
    s.delete(row)
    return True


def names(s: Db) -> list[str]:
    """Everybody who was ever let in by a code."""
    return list(s.exec(select(Person.name)))


def seen(s: Db) -> dict[str, float]:
    """When each person last wrote in a chat of their own."""
    rows = s.exec(
        select(Session.person, func.max(col(Session.updated_at)))
        .where(Session.person != "")
        .group_by(col(Session.person))
    )
    return dict(rows.all())


# Codes by which a person brings another channel of theirs


def show_link_code(s: Db, code: LinkCode) -> None:
    """Store a code; those that its person was shown before, and old ones, are worth nothing any more."""
    s.execute(
        delete(LinkCode).where(
            (col(LinkCode.person) == code.person) | (col(LinkCode.expires_at) <= code.created_at)
        )
    )
    s.add(code)


def link_code(s: Db, code: str, now: float) -> LinkCode | None:
    """A code that is still good."""
    row = s.get(LinkCode, code)
    return row if row is not None and row.expires_at > now else None


@dataclass(frozen=True, slots=True)
class Link:
    """An identity that a code makes its person's, who has this role and writes at `at`; `replies` tell both sides."""

    identity: Identity
    role: Role
    at: Address
    replies: Sequence[Outbox]


def link_by_code(s: Db, code: str, link: Link) -> list[Outbox] | None:
    """Use a code up. None where somebody else did meanwhile."""
    row, identity = s.get(LinkCode, code), link.identity
    if row is None or row.person != identity.person:
        return None
    s.delete(row)
    _identify(s, identity, link.role)
    s.flush()
    sessions.touch(s, link.at, identity.person, private=True, now=identity.created_at)
    for reply in link.replies:
        values.add(s, reply)
    return list(link.replies)


def unlink(s: Db, channel: str, sender: str) -> list[str]:
    """Take an identity away; returns the sessions that are nobody's since.

    Chats on that channel are nobody's until their writer, who may be known there by another id, writes again: what is
    meant for the person must not go where somebody else reads it: reminders that were set there come to another chat of
    theirs. Codes that the person was shown end, too.
    """
    row = s.get(Identity, (channel, sender))
    if row is None:
        return []
    chats = sessions.private_of(s, row.person)
    gone = [chat.key for chat in chats if chat.channel == channel]
    s.execute(update(Session).where(col(Session.key).in_(gone)).values(person=""))
    if left := [chat.key for chat in chats if chat.channel != channel]:
        moved = update(Reminder).where(col(Reminder.person) == row.person, col(Reminder.session).in_(gone))
        s.execute(moved.values(session=left[0]))
    s.execute(delete(LinkCode).where(col(LinkCode.person) == row.person))
    s.delete(row)
    return gone


# Groups and preferences


def groups(s: Db) -> list[GroupChat]:
    return list(s.exec(select(GroupChat)))


def invite(s: Db, group: GroupChat, hello: Sequence[Outbox]) -> list[Outbox]:
    """Note who brought us into a group, and greet it."""
    s.merge(group)
    for row in hello:
        values.add(s, row)
    return list(hello)


def languages(s: Db) -> dict[str, str]:
    """What people chose to be answered in; "" is the language that they write in."""
    return {row.person: row.language for row in s.exec(select(Preference))}


def choose_language(s: Db, person: str, language: str) -> None:
    s.merge(Preference(person=person, language=language))

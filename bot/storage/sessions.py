"""Conversations: one row per chat, topic or thread."""

from __future__ import annotations

from sqlalchemy import func
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.storage.tables import Message, Session
from channels.types import Address


def touch(s: Db, address: Address, person: str, *, private: bool, now: float) -> Session:
    """The session at this address, made where there is none."""
    row = s.get(Session, str(address))
    if row is None:
        row = Session(
            key=str(address),
            channel=address.channel,
            chat=address.chat,
            thread=address.thread,
            person=person if private else "",
            private=private,
            created_at=now,
            updated_at=now,
        )
        s.add(row)
    else:
        row.updated_at = now
    return row


def get(s: Db, key: str) -> Session | None:
    return s.get(Session, key)


def choose_model(s: Db, key: str, model: str) -> None:
    """Set the user's strict choice; empty means automatic."""
    row = s.get_one(Session, key)
    row.model = model


def forget_history(s: Db, key: str) -> None:
    """Start afresh: what was said so far stays in the transcript and leaves the context."""
    row = s.get_one(Session, key)
    last = s.exec(select(func.max(col(Message.id))).where(Message.session == key)).one()
    row.history_after = last or 0


def address_of(row: Session) -> Address:
    return Address(row.channel, row.chat, row.thread)

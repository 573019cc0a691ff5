"""The audit log's rows: appended with the step that they belong to, read whole or by session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields

from sqlmodel import Session as Db
from sqlmodel import col, func, select

from bot.safety.audit import FIRST, Anchor, Deed, Entry, Linked, canonical, entry_of, link
from bot.storage import values
from bot.storage.tables import Audit, AuditPayload, Turn

_AUDIT = values.table(Audit)
_LAST = _AUDIT.select().order_by(_AUDIT.c.id.desc()).limit(1)


def append(s: Db, turn: Turn, deeds: Sequence[Deed]) -> Anchor | None:
    """Add entries to the chain; returns its new end, None where there was nothing to add."""
    if not deeds:
        return None
    last = s.connection().execute(_LAST).mappings().first()
    number, digest = (int(last["id"]), str(last["digest"])) if last else (0, FIRST)
    for deed in deeds:
        entry = entry_of(deed, turn.session, turn.id or 0, turn.person)
        number, digest = number + 1, link(digest, entry)
        s.add(Audit(id=number, digest=digest, **asdict(entry)))
        s.add(AuditPayload(id=number, arguments=canonical(dict(deed.arguments)), result=deed.result))
    s.flush()
    return Anchor(number, digest)


def chain(s: Db, after: int, most: int) -> list[Linked]:
    """The next entries after an id, in order."""
    rows = s.exec(
        select(Audit, AuditPayload)
        .join(AuditPayload, col(Audit.id) == col(AuditPayload.id), isouter=True)
        .where(col(Audit.id) > after)
        .order_by(col(Audit.id))
        .limit(most)
    ).all()
    return list(_linked(rows))


def count(s: Db) -> int:
    """How many entries there are."""
    return s.exec(select(func.count()).select_from(Audit)).one()


def of_turns(s: Db, turns: Sequence[int]) -> list[Linked]:
    """What was done in these turns, in order."""
    rows = s.exec(
        select(Audit, AuditPayload)
        .join(AuditPayload, col(Audit.id) == col(AuditPayload.id), isouter=True)
        .where(col(Audit.turn).in_(turns))
        .order_by(col(Audit.id))
    ).all()
    return list(_linked(rows))


def of_session(s: Db, session: str, most: int) -> list[Linked]:
    """What was done last in a session, "" for all of them, in order."""
    query = (
        select(Audit, AuditPayload)
        .join(AuditPayload, col(Audit.id) == col(AuditPayload.id), isouter=True)
        .order_by(col(Audit.id).desc())
        .limit(most)
    )
    rows = s.exec(query.where(Audit.session == session) if session else query).all()
    return list(reversed(list(_linked(rows))))


def last_turn(s: Db, session: str, person: str) -> Turn | None:
    """The turn that last answered a person in a session."""
    return s.exec(
        select(Turn)
        .where(Turn.session == session, Turn.person == person)
        .where(col(Turn.task).is_(None), Turn.state == "done")
        .order_by(col(Turn.id).desc())
        .limit(1)
    ).first()


def with_workers(s: Db, turn: int) -> list[int]:
    """A turn and everything that it handed on."""
    found, new = [turn], [turn]
    while new:
        new = [turn.id or 0 for turn in s.exec(select(Turn).where(col(Turn.parent).in_(new)))]
        found += new
    return found


def _linked(rows: Sequence[tuple[Audit, AuditPayload | None]]) -> Iterator[Linked]:
    names = [field.name for field in fields(Entry)]
    for row, payload in rows:
        entry = Entry(**{name: getattr(row, name) for name in names})
        beside = (payload.arguments, payload.result) if payload is not None else None
        yield Linked(row.id or 0, entry, row.digest, beside)

"""What calls of models cost: implements `providers.ledger.Ledger`, and adds up for whoever asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sqlalchemy import case, func
from sqlmodel import Session as Db
from sqlmodel import col, select

from bot.errors import StorageError
from bot.storage import values
from bot.storage.database import Database
from bot.storage.tables import Ledger as Row
from bot.storage.tables import NoticeState, Outbox, Session
from providers.ledger import ANSWERED, CANCELLED, Amount, Call

log = logging.getLogger(__name__)

TOLD = "[limits]"
"""Under this name, in the place of a session's, stands what the owner was told of caps."""
_REMEMBERED = 60
_LEDGER = values.table(Row)


class LedgerBook:
    """Implements `providers.ledger.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spent(self, since: float) -> Mapping[str, Amount]:
        return await self._database.write(partial(spent, since=since))

    async def reserve(self, call: Call) -> int:
        row = _row(call)
        try:
            return await self._database.write(partial(values.add, row=row))
        except StorageError as error:
            # The cap holds all the same as long as this process runs.
            log.warning("a call of %s was not written down before it was made: %s", call.route, error)
            return 0
        except asyncio.CancelledError:
            # It is written, or will be, before this is: the thread keeps the order.
            self._database.later(partial(_not_made, row=row))
            raise

    def settle(self, number: int, call: Call) -> None:
        self._database.later(partial(_settle, number=number, columns=_columns(call)))

    def append(self, call: Call) -> None:
        self._database.later(partial(_append, columns=_columns(call)))


@dataclass(frozen=True, slots=True)
class Sum:
    """Calls added up. `usd` counts those with a price, `unpriced` the paid ones without; `name` is what they share."""

    name: str
    calls: int = 0
    answered: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0


def spent(s: Db, since: float) -> dict[str, Amount]:
    """By role, what paid calls since then came to; see `providers.ledger.Ledger`."""
    tokens = func.sum(col(Row.prompt_tokens) + col(Row.completion_tokens))
    sums = (
        select(Row.role, func.sum(col(Row.usd)), tokens)
        .where(col(Row.at) >= since, col(Row.paid).is_(True))
        .group_by(col(Row.role))
    )
    return {role: Amount(usd or 0.0, tokens or 0) for role, usd, tokens in s.exec(sums)}


def sums(s: Db, *, by: Literal["role", "model", "day", ""], since: float) -> list[Sum]:
    """Calls since then, those that cost most first; by day, the newest first; by nothing, all in one."""
    names: dict[str, Any] = {
        "role": col(Row.role),
        "model": col(Row.provider) + "/" + col(Row.model),
        "day": func.date(col(Row.at), "unixepoch", "localtime"),
    }
    name = names.get(by, func.coalesce("", ""))
    paid_unpriced = case((col(Row.paid).is_(True) & col(Row.usd).is_(None), 1), else_=0)
    usd = func.coalesce(func.sum(col(Row.usd)), 0.0)
    query = (
        select(  # type: ignore[call-overload] # more columns than it has types for
            name,
            func.count(),
            func.sum(case((col(Row.outcome) == ANSWERED, 1), else_=0)),
            func.sum(col(Row.prompt_tokens)),
            func.sum(col(Row.cached_tokens)),
            func.sum(col(Row.completion_tokens)),
            usd,
            func.sum(paid_unpriced),
        )
        .where(col(Row.at) >= since)
        .group_by(name)
        .order_by(name.desc() if by == "day" else usd.desc(), func.count().desc())
    )
    return [Sum(*row) for row in s.execute(query)]


def of_person(s: Db, person: str, since: float) -> Sum:
    """Calls since then for a person's private chats."""
    chats = select(Session.key).where(Session.person == person)
    query = select(  # as in `sums`
        func.count(),
        func.coalesce(func.sum(col(Row.prompt_tokens)), 0),
        func.coalesce(func.sum(col(Row.completion_tokens)), 0),
    ).where(col(Row.at) >= since, col(Row.session).in_(chats))
    calls, prompt, completion = s.exec(query).one()
    return Sum(person, calls=calls, prompt_tokens=prompt, completion_tokens=completion)


def turn_spent(s: Db, *, session: str, since: float) -> Amount:
    """What a turn of this session that began then has cost so far."""
    query = select(
        func.sum(col(Row.usd)), func.sum(col(Row.prompt_tokens) + col(Row.completion_tokens))
    ).where(col(Row.session) == session, col(Row.at) >= since, col(Row.paid).is_(True))
    usd, tokens = s.exec(query).one()
    return Amount(usd or 0.0, tokens or 0)


def told(s: Db) -> list[str]:
    """What the owner was told of caps, as `remember` was given it."""
    row = s.get(NoticeState, TOLD)
    return list(row.shown.get("told", [])) if row is not None else []


def remember(s: Db, keys: Sequence[str], at: float) -> None:
    """Note what the owner is told, in the transaction that stores the message."""
    known = dict.fromkeys((*told(s), *keys))
    s.merge(NoticeState(session=TOLD, shown={"told": list(known)[-_REMEMBERED:]}, updated_at=at))


def tell(s: Db, *, keys: Sequence[str], rows: list[Outbox], at: float) -> list[Outbox]:
    """Store messages to the owner, and note what they tell."""
    remember(s, keys, at)
    for row in rows:
        values.add(s, row)
    return rows


def _append(s: Db, columns: dict[str, Any]) -> None:
    s.connection().execute(_LEDGER.insert(), columns)


def _settle(s: Db, number: int, columns: dict[str, Any]) -> None:
    s.connection().execute(_LEDGER.update().where(_LEDGER.c.id == number), columns)


def _not_made(s: Db, row: Row) -> None:
    if row.id is not None:
        nothing = {"usd": 0.0, "prompt_tokens": 0, "completion_tokens": 0, "outcome": CANCELLED}
        s.connection().execute(_LEDGER.update().where(_LEDGER.c.id == row.id), nothing)


def _columns(call: Call) -> dict[str, Any]:
    return {
        "at": call.at,
        "role": call.role,
        "session": call.session,
        "provider": call.route.provider,
        "model": call.route.model,
        "paid": call.paid,
        "prompt_tokens": call.usage.prompt_tokens,
        "cached_tokens": call.usage.cached_tokens,
        "completion_tokens": call.usage.completion_tokens,
        "usd": call.usd,
        "seconds": call.seconds,
        "outcome": call.outcome,
    }


def _row(call: Call) -> Row:
    return Row(**_columns(call))

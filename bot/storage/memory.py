"""Versions of facts, observations, what tools taught, and the search over what was said."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import or_, text, update
from sqlmodel import Session as Db
from sqlmodel import col, func, select

from bot.storage import contexts
from bot.storage.tables import FactVersion, Inbox, Learning, Message, Observation, Session, Turn, TurnState

_IDLE_ROWS = 400
_MOST_TRIES = 3
"""After so many unusable replies to the same observations they are laid aside."""
FORGET = "asked to forget: "
"""How such a version begins to say why it was made."""
_OPEN = (col(Observation.reflected_at).is_(None), col(Observation.tries) < _MOST_TRIES)


class Version(NamedTuple):
    """One version of a file of facts; `why` is what made it."""

    number: int
    at: float
    why: str
    text: str


class Hit(NamedTuple):
    """A place in what was said: whose words, when, where, and the words around."""

    role: str
    at: float
    channel: str
    snippet: str
    trust: str


def keep(s: Db, version: FactVersion, before: str) -> None:
    """Keep the version after a change, and the one before where somebody had edited the file by hand."""
    owner = version.owner
    last = s.exec(
        select(FactVersion).where(FactVersion.owner == owner).order_by(col(FactVersion.id).desc()).limit(1)
    ).first()
    if before and (last is None or last.text != before):
        s.add(FactVersion(owner=owner, text=before, why="edited by hand", at=version.at))
        s.flush()
    s.add(version)


def versions(s: Db, owner: str) -> list[Version]:
    rows = s.exec(select(FactVersion).where(FactVersion.owner == owner).order_by(col(FactVersion.id)))
    return [Version(row.id or 0, row.at, row.why, row.text) for row in rows]


def version(s: Db, owner: str, number: int) -> str | None:
    row = s.get(FactVersion, number)
    return row.text if row is not None and row.owner == owner else None


def idle(s: Db, before: float) -> list[Session]:
    """Private sessions in which something was said since they were last looked at, and nothing since `before`."""
    return list(
        s.exec(
            select(Session)
            .where(col(Session.private).is_(True), Session.person != "", Session.updated_at < before)
            .where(
                select(Message.id)
                .where(Message.session == Session.key, col(Message.id) > col(Session.observed))
                .exists()
            )
        )
    )


def unobserved(s: Db, session: Session) -> list[tuple[Message, str]]:
    """What was said in a session since it was last looked at, and by whom or to whom: turns that answer a person and
    are over, up to the first that is not. What workers delivered is nobody's own word, and a task that a reminder
    brings up every day is no news of its person.
    """
    by_itself = or_(*(col(Inbox.key).startswith(f"{kind}:") for kind in ("task", "reminder")))
    delivered = select(Inbox.id).where(Inbox.turn == Message.turn, by_itself, Inbox.text == Message.content)
    query = (
        select(Message, Turn.person)
        .join(Turn, col(Message.turn) == col(Turn.id))
        .where(Message.session == session.key, col(Message.id) > session.observed)
        .where(Turn.state == TurnState.DONE, col(Turn.task).is_(None), ~delivered.exists())
        .order_by(col(Message.id))
        .limit(_IDLE_ROWS)
    )
    still_open = contexts.first_open(s, session.key)
    if still_open is not None:
        query = query.where(col(Message.id) < still_open)
    return [(message, person) for message, person in s.exec(query)]


def observe(s: Db, session: str, upto: int, observations: Sequence[Observation]) -> None:
    """Note what a session yielded, and how far it was looked at."""
    s.add_all(observations)
    s.execute(update(Session).where(col(Session.key) == session).values(observed=upto))


def forget(s: Db, person: str, strike: Callable[[str], str], version: FactVersion | None) -> None:
    """Strike what is to be forgotten from what was observed of a person and is not reflected on yet. `version` notes
    the wish where no fact had to be changed for it.
    """
    if version is not None:
        s.add(version)
    for row in to_reflect(s, person):
        row.text = strike(row.text)
        if row.text:
            s.add(row)
        else:
            s.delete(row)


def forgotten(s: Db, owner: str) -> list[tuple[float, str]]:
    """(when, words) of everything that somebody wanted forgotten."""
    found = s.exec(
        select(FactVersion.at, FactVersion.why)
        .where(FactVersion.owner == owner, col(FactVersion.why).startswith(FORGET))
        .order_by(col(FactVersion.id))
    )
    return [(at, why.removeprefix(FORGET)) for at, why in found]


def to_reflect(s: Db, person: str) -> list[Observation]:
    """What was observed of a person and not reflected on yet."""
    return list(
        s.exec(select(Observation).where(Observation.person == person, *_OPEN).order_by(col(Observation.id)))
    )


def people_to_reflect(s: Db) -> list[tuple[str, int, int]]:
    """(person, observations, characters) of everybody of whom something new was observed."""
    rows = s.exec(
        select(Observation.person, func.count(), func.sum(func.length(Observation.text)))
        .where(*_OPEN)
        .group_by(Observation.person)
    ).all()
    return [(person, count, size or 0) for person, count, size in rows]


def reflected(s: Db, observations: Sequence[int], now: float) -> None:
    s.execute(update(Observation).where(col(Observation.id).in_(observations)).values(reflected_at=now))


def tried(s: Db, observations: Sequence[int]) -> None:
    """A reply to these was unusable."""
    s.execute(
        update(Observation).where(col(Observation.id).in_(observations)).values(tries=Observation.tries + 1)
    )


def learned(s: Db, tool: str, lesson: str, now: float) -> None:
    """A tool failed in this way, once more."""
    row = s.exec(select(Learning).where(Learning.tool == tool, Learning.text == lesson)).first()
    row = row or Learning(tool=tool, text=lesson, count=0, at=now)
    row.count, row.at = row.count + 1, now
    s.add(row)


def lessons(s: Db, since: float, most: int) -> list[tuple[str, str]]:
    """(tool, what went wrong) more than once lately, the most frequent first."""
    rows = s.exec(
        select(Learning)
        .where(Learning.count > 1, Learning.at >= since)
        .order_by(col(Learning.count).desc())
        .limit(most)
    )
    return [(row.tool, row.text) for row in rows]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: words that this person, or the assistant in their private chats, said in a time (epoch
    seconds), but for one turn.
    """

    person: str
    words: str
    since: float = 0.0
    until: float = math.inf
    but: int = 0


def search(s: Db, wanted: Search, most: int) -> list[Hit]:
    """Where it was said, the best places first: all the words, else all of their beginnings, else any of them."""
    terms = [f'"{term}"' for term in re.findall(r"\w+", wanted.words)]
    beginnings = [f"{term}*" for term in terms]
    queries = [" ".join(terms), " ".join(beginnings), " OR ".join(beginnings)] if terms else []
    for query in queries:
        found = s.execute(_SEARCH, {**asdict(wanted), "query": query, "most": most}).all()
        if found:
            return [Hit(*row) for row in found]
    return []


# Ranked are the newest thousand places: to rank a million would hold up the next transaction for seconds.
_SEARCH = text(
    "SELECT role, created_at, channel, snippet, trust FROM ("
    "SELECT m.id, m.role, m.created_at, s.channel, m.trust, bm25(message_fts) AS score, "
    "snippet(message_fts, 0, '**', '**', ' … ', 24) AS snippet "
    "FROM message_fts JOIN message m ON m.id = message_fts.rowid "
    "JOIN session s ON s.key = m.session JOIN turn t ON t.id = m.turn "
    "WHERE message_fts MATCH :query AND t.person = :person AND s.private AND t.task IS NULL AND t.id <> :but "
    "AND m.created_at >= :since AND m.created_at < :until "
    "ORDER BY message_fts.rowid DESC LIMIT 1000"
    ") ORDER BY score, id DESC LIMIT :most"
)

"""What a turn costs with few and with many stored messages: the same daemon over two data folders, by turns."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench import messages
from bench.messages import Series, Start
from bench.subject import PEOPLE, Subject, daemon
from tests.fakes.llm.control import LLMControl
from tests.fakes.telegram_process import TelegramProcess

_LONG = PEOPLE[-2]
"""A chat in which so much was said that a turn's context is full with either."""
_DAYS = 3 * 365
"""Over so many days everything was said."""

# A question and an answer to each turn, with the rows that go with them, in the daemon's own tables: written by the
# daemon itself, a million would take an hour. Every turn below the 300th and each hundredth belongs to the long chat,
# fifty each of the others to one chat.
_PAST = """
CREATE TEMP TABLE past AS
WITH RECURSIVE counted(turn) AS (SELECT 1 UNION ALL SELECT turn + 1 FROM counted WHERE turn < :turns)
SELECT turn, iif(turn < 300 OR turn % 100 = 0, :long, 1000000 + turn / 50) AS chat,
    :now - 86400.0 * :days * (1 - turn * 1.0 / :turns) AS at
FROM counted
"""
_ROWS = (
    """INSERT INTO session (key, channel, chat, thread, person, private, model, history_after, observed, created_at,
        updated_at)
    SELECT 'telegram:' || chat, 'telegram', chat, '', 'ann', 1, '', 0, 2 * max(turn), min(at), max(at)
    FROM past GROUP BY chat""",
    """INSERT INTO turn (id, session, person, state, outcome, route, preview, path, started_at, ended_at)
    SELECT turn, 'telegram:' || chat, 'ann', 'done', 'Answered', 'fake/fake-1', '', '[]', at, at + 2 FROM past""",
    """INSERT INTO inbox (channel, key, session, person, sender_name, text, ref, more_follows, sent_at, received_at,
        state, turn, attempts)
    SELECT 'telegram', 'past ' || turn, 'telegram:' || chat, 'ann', 'Ann', 'Question ' || turn, '1', 0, at, at,
        'done', turn, 0
    FROM past""",
    """INSERT INTO message (session, turn, role, content, tool_call_id, created_at)
    SELECT 'telegram:' || chat, turn, role, text || turn || '?', '', at FROM past JOIN (
        SELECT 'user' AS role, 'What was it that we said about bill ' AS text
        UNION ALL SELECT 'assistant', 'That it can wait for the one after it. Is it bill ')
    ORDER BY turn, role DESC""",
    """INSERT INTO outbox (session, channel, chat, thread, turn, kind, text, edits, reply_to, state, attempts,
        doubtful, not_before, error, receipt, created_at, sent_at)
    SELECT 'telegram:' || chat, 'telegram', chat, '', turn, 'answer', 'Bill ' || turn, '', '', 'sent', 1, 0, 0, '',
        '1', at, at
    FROM past""",
    """INSERT INTO ledger (at, role, session, provider, model, paid, prompt_tokens, cached_tokens, completion_tokens,
        usd, seconds, outcome)
    SELECT at, 'reasoning', 'telegram:' || chat, 'fake', 'fake-1', 1, 900, 0, 50, 0.0001, 2.0, 'answered' FROM past""",
)


@dataclass(slots=True)
class Stored:
    """What was seen of a daemon over so many stored messages, round by round: its starts, and turns in new chats and
    in the long one.
    """

    messages: int
    subject: Subject
    starts: list[Start] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    long_chat: list[Series] = field(default_factory=list)


@asynccontextmanager
async def daemons(folder: Path, llm: LLMControl, sizes: Sequence[int]) -> AsyncIterator[list[Stored]]:
    """A daemon for each number of stored messages, not started; whatever runs at the end is stopped."""
    async with TelegramProcess() as first, TelegramProcess() as second:
        found: list[Stored] = []
        try:
            for size, telegram in zip(sizes, (first, second), strict=True):
                data = folder / f"stored-{size}"
                data.mkdir()
                seen = Stored(size, daemon(data, telegram, llm))
                found.append(seen)
                await messages.start(seen.subject)  # makes the database
                store(data / "data" / "nanobot.db", size)
            yield found
        finally:
            for seen in found:
                await seen.subject.stop()


async def measure(both: Sequence[Stored], rounds: int, of_each: int) -> None:
    """So many rounds of a start, then of so many messages in new chats and in the long one, by turns."""
    for _ in range(rounds):
        for seen in both:
            seen.starts.append(await messages.start(seen.subject))
    for seen in both:
        await seen.subject.start()
    chats = {seen.messages: count() for seen in both}
    for seen in both:
        await messages.series(seen.subject, of_each, chats[seen.messages])
    for number in range(rounds):
        for seen in both if number % 2 == 0 else reversed(both):
            seen.series.append(await messages.series(seen.subject, of_each, chats[seen.messages]))
            seen.long_chat.append(await messages.talk(seen.subject, of_each, _LONG))


def store(database: Path, messages: int) -> None:
    """Add so many messages to an empty database of the daemon's."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        with connection:
            for table in ("outbox", "inbox", "message", "turn", "session", "ledger"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 -- the names above
            past = {"turns": messages // 2, "long": _LONG, "now": time.time() - 3600, "days": _DAYS}
            connection.execute(_PAST, past)
            for rows in _ROWS:
                connection.execute(rows)
        with connection:
            # Written in one go, the search's index is in many pieces, which the next turns would merge; one that grew
            # with a turn at a time has been merged with each of them.
            connection.execute("INSERT INTO message_fts(message_fts) VALUES ('optimize')")

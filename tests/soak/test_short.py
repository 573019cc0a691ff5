"""The soak in short form, and that its account notices what goes wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.soak.__main__ import Plan, soak
from tests.soak.account import Account, report, trend


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [0, 12])
async def test_nothing_is_lost_or_doubled(kills: int) -> None:
    account = await soak(
        Plan(messages=150, seconds=20.0, kills=kills, fault_rate=0.15, seed=kills, plot=None)
    )

    assert account.good, report(account, None)
    assert (account.taken, account.kills) == (150, kills)


class Seen:
    """People who see these texts."""

    kind = "telegram"

    def __init__(self, *texts: str) -> None:
        self._texts = texts

    def config(self) -> str:
        return ""

    def persons(self) -> str:
        return ""

    def say(self, number: str) -> None: ...

    def trouble(self) -> None: ...

    def seen(self) -> Iterator[tuple[str, str]]:
        yield from ((str(number), text) for number, text in enumerate(self._texts))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Three messages: one answered, one that waits, one whose answer was not delivered."""
    path = tmp_path / "nanobot.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript("""
            CREATE TABLE inbox (text TEXT, state TEXT, turn INTEGER);
            CREATE TABLE outbox (id INTEGER PRIMARY KEY, turn INTEGER, state TEXT, text TEXT);
            INSERT INTO inbox VALUES ('#000001', 'done', 1), ('#000002', 'queued', NULL), ('#000003', 'done', 3);
            INSERT INTO outbox VALUES (1, 1, 'sent', '#000001'), (2, 3, 'queued', '#000003');
        """)
    return path


def account(database: Path, *texts: str) -> Account:
    sent = ["000001", "000002", "000003", "000004"]
    return Account.of(sent, [Seen(*texts)], database, kills=0, left=0, code=0)


def test_what_was_not_taken_answered_or_delivered_is_lost(database: Path) -> None:
    found = account(database, "#000001")

    assert (found.sent, found.taken, found.answered) == (4, 3, 1)
    assert found.lost == ["000002", "000003", "000004"]
    assert not found.good


def test_what_is_seen_twice_without_a_mark_is_doubled(database: Path) -> None:
    assert account(database, "#000001", "again: #000001").doubled == ["000001"]
    marked = account(database, "#000001", "🔁 #000001")
    assert (marked.doubled, marked.repeated_and_marked) == ([], 1)


def test_a_slope_comes_with_what_it_may_be_off_by() -> None:
    rising = trend([0.0, 1.0, 2.0, 3.0], [1.0, 3.1, 4.9, 7.0])
    assert abs(rising.value - 2.0) < rising.error < 0.2

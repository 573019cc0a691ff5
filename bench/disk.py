"""What the disk itself asks for: a durable commit with nothing but SQLite around it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from statistics import median


def commit_milliseconds(folder: Path, commits: int = 100) -> float:
    """The median of so many commits of one row, written as the daemon writes: WAL, flushed at each."""
    with closing(sqlite3.connect(folder / "commits.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT)")
        return 1000 * median(_commit(connection) for _ in range(commits))


def _commit(connection: sqlite3.Connection) -> float:
    began = time.perf_counter()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO line (text) VALUES (?)", ("x" * 200,))
    connection.execute("COMMIT")
    return time.perf_counter() - began

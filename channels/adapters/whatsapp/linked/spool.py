"""What may not be lost while processes are killed: messages that came and are not taken, and what was sent.

WhatsApp's servers forget a message a few milliseconds after the library has it, since the library confirms by itself.
So it is written down here before anything else is done with it, and stays until the daemon has stored it. Of what was
sent the reference is kept for a day, so that a send that is tried again because its result was lost is not repeated.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

_KEPT = 86_400.0
"""Seconds for which a reference is kept; a repeat follows within minutes of the daemon's next start."""
_TABLES = """
CREATE TABLE IF NOT EXISTS arrived (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
    chat TEXT NOT NULL, writer TEXT NOT NULL, message TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sent (key TEXT PRIMARY KEY, ref TEXT NOT NULL, at REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from, in WhatsApp's own addresses, for the sign that it was read."""

    key: str
    chat: str
    writer: str


class Spool:
    """A file of its own. Used from several threads; what a method wrote is on the disk when it returns."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._lock = Lock()
        self._clock = clock
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._file.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_TABLES}")

    def add(self, origin: Origin, message: str) -> int:
        """Keep a message; returns its number, 0 where the same one waits already."""
        values = (origin.key, origin.chat, origin.writer, message)
        with self._lock:
            done = self._file.execute(
                "INSERT OR IGNORE INTO arrived (key, chat, writer, message) VALUES (?, ?, ?, ?)", values
            )
            return done.lastrowid or 0 if done.rowcount == 1 else 0

    def waiting(self) -> list[tuple[int, str]]:
        """What is not taken yet, oldest first."""
        with self._lock:
            return self._file.execute("SELECT seq, message FROM arrived ORDER BY seq").fetchall()

    def taken(self, seqs: Sequence[int]) -> list[Origin]:
        """Forget these messages; returns where they came from."""
        with self._lock:
            self._file.execute("BEGIN")
            found = [self._forget(seq) for seq in seqs]
            self._file.execute("COMMIT")
        return [origin for origin in found if origin is not None]

    def _forget(self, seq: int) -> Origin | None:
        row = self._file.execute(
            "DELETE FROM arrived WHERE seq = ? RETURNING key, chat, writer", (seq,)
        ).fetchone()
        return None if row is None else Origin(*row)

    def sent(self, key: str) -> str:
        """The reference of what was sent under this key; "" where nothing was, as far as is known."""
        with self._lock:
            row = self._file.execute("SELECT ref FROM sent WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def remember(self, key: str, ref: str) -> None:
        now = self._clock()
        with self._lock:
            self._file.execute("BEGIN")
            self._file.execute("DELETE FROM sent WHERE at < ?", (now - _KEPT,))
            self._file.execute("INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", (key, ref, now))
            self._file.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._file.close()

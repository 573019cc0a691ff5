"""Brings the file to this program's schema, or refuses it. Cheap when there is nothing to do: one small query."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from bot.errors import StorageError

MIGRATIONS = Path(__file__).with_name("migrations")
_FULL_CHECK_BYTES = 64 * 1024 * 1024
"""Up to this size the whole file is checked at start; beyond it that would delay the start by seconds."""
_LEAST_FREE = 1_000_000

RESTORING = ".restore-"
"""How the folder is called, beside the database, in which a restore unpacks (`bot.backup`)."""


def revisions() -> list[str]:
    """Every revision that this program knows, oldest first; a migration's file name begins with its number."""
    return sorted(file.name.split("_", 1)[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def prepare(path: Path) -> None:
    """Make or migrate the database at `path`. Raises StorageError and leaves the file alone if it can't be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = _revision(path) if path.exists() and path.stat().st_size else None
    except OSError as error:
        raise StorageError(
            f"{path}: {error.strerror}; check who owns the folder, or name another with --data"
        ) from None
    if found is None and next(path.parent.glob(f"{RESTORING}*"), None):
        raise StorageError(
            f"{path.parent}: a restore was cut short: make it again, or delete {RESTORING}* there to start afresh"
        )
    known = revisions()
    if found == known[-1]:
        return
    if found is not None and found not in known:
        raise StorageError(
            f"{path} was written by a newer nanobot (schema {found}, this one knows {known[-1]}): "
            "install that version again, or restore an older backup; the file was not touched"
        )
    _upgrade(path)


def _revision(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as connection:
            tables = {
                row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            if path.stat().st_size <= _FULL_CHECK_BYTES:
                verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    raise _damaged(path, verdict)
            if "alembic_version" not in tables:
                if tables:
                    raise StorageError(
                        f"{path} is a database of another program; name another folder with --data"
                    )
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None
    except sqlite3.OperationalError as error:
        raise unreadable(path, error, shutil.disk_usage(path.parent).free) from None
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from None


def unreadable(path: Path, error: sqlite3.OperationalError, free: float) -> StorageError:
    """`free` is what the disk has left, in bytes: even to read, SQLite makes a file beside the database."""
    why = "; the disk is full: make room, nothing else is known to be wrong" if free < _LEAST_FREE else ""
    return StorageError(f"{path} can't be read: {error}{why}")


def _damaged(path: Path, what: str) -> StorageError:
    return StorageError(
        f"{path} is damaged ({what}): restore a backup, or move the file away to start afresh; it was not touched"
    )


def _upgrade(path: Path) -> None:
    # Alembic takes a quarter of a second to import: only where there is something to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    _allow_shrinking(path)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}".replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except (sqlite3.DatabaseError, DBAPIError) as error:
        why = error.orig if isinstance(error, DBAPIError) else error
        raise StorageError(f"{path} can't be migrated: {why}; it was left as it is") from None
    path.chmod(0o600)


def _allow_shrinking(path: Path) -> None:
    """Let a new file give room back later, slice by slice; only possible while it is empty."""
    if not path.exists() or not path.stat().st_size:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")

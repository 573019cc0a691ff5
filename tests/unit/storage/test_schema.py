"""A file of another age, another program or in pieces is refused untouched; our own is brought up to date."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import bot.storage.tables  # noqa: F401 -- fills the metadata
from bot.errors import StorageError
from bot.storage import schema


def test_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    schema.prepare(tmp_path / "nanobot.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'nanobot.db'}")
    with engine.connect() as connection:
        differences = compare_metadata(
            MigrationContext.configure(connection, opts={"include_name": _ours}), SQLModel.metadata
        )
    engine.dispose()
    assert differences == []


def _ours(name: str | None, _type: str, _parents: object) -> bool:
    """The search keeps tables of its own, which no code names."""
    return not (name or "").startswith("message_fts")


def test_a_current_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "nanobot.db"
    schema.prepare(path)
    before = path.read_bytes()
    schema.prepare(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"this is not a database at all" * 40, "damaged"), (b"SQLite format 3\0" + b"\xff" * 4096, "damaged")],
)
def test_a_damaged_file_is_refused_untouched(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "nanobot.db"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=says):
        schema.prepare(path)
    assert path.read_bytes() == content


def test_damage_in_the_middle_of_a_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "nanobot.db"
    schema.prepare(path)
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = b"\xa5" * 8192
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        schema.prepare(path)
    assert path.read_bytes() == bytes(content)


def test_a_newer_file_is_refused_untouched_and_says_which(tmp_path: Path) -> None:
    path = tmp_path / "nanobot.db"
    schema.prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"newer nanobot \(schema 9999"):
        schema.prepare(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nanobot.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
        connection.commit()
    with pytest.raises(StorageError, match="another program"):
        schema.prepare(path)


@pytest.mark.parametrize(("free", "told"), [(0, True), (80e9, False)])
def test_a_full_disk_is_named_where_sqlite_says_input_output_error(free: float, told: bool) -> None:
    said = str(schema.unreadable(Path("/d/nanobot.db"), sqlite3.OperationalError("disk I/O error"), free))

    assert said.startswith("/d/nanobot.db can't be read: disk I/O error")
    assert ("make room" in said) is told


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="--data"):
        schema.prepare(tmp_path / "file" / "nanobot.db")


def test_an_upgrade_that_is_cut_short_has_done_nothing_and_can_be_made_again(tmp_path: Path) -> None:
    path = tmp_path / "nanobot.db"
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    command.upgrade(config, "0005")
    _run(path, "CREATE TABLE audit_payload (x)")  # in the way of the second table that 0006 makes
    before = _tables(path)
    with pytest.raises(StorageError, match="can't be migrated: table audit_payload already exists"):
        schema.prepare(path)
    assert _tables(path) == before
    _run(path, "DROP TABLE audit_payload")
    schema.prepare(path)
    assert "audit_payload" in _tables(path)


def _run(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)


def _tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}

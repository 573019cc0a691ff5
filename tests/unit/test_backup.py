"""A backup is one moment's whole state, and replaces nothing before it has proved that."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot import backup
from bot.backup import BackupError, Places
from bot.errors import StorageError
from bot.storage import schema

NOW = 1_800_000_000.0


@pytest.fixture
def places(tmp_path: Path) -> Places:
    data = tmp_path / "data"
    (data / "workspace" / "memory" / "ann").mkdir(parents=True)
    (data / "workspace" / "memory" / "ann" / "MEMORY.md").write_text("likes tea")
    (data / "outgoing").mkdir()
    (data / "outgoing" / "1").write_bytes(b"bill")
    schema.prepare(data / "nanobot.db")
    note(data / "nanobot.db", "first")
    return Places(data, data / "workspace")


def note(database: Path, text: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        row = (text, "{}", NOW)
        connection.execute("INSERT INTO channel_state VALUES ('chat', ?, ?, ?)", row)


def notes(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("SELECT key FROM channel_state ORDER BY rowid")]


def test_what_was_backed_up_comes_back_and_what_was_there_is_kept(places: Places, tmp_path: Path) -> None:
    made = backup.make(places, tmp_path / "b.tar.gz", NOW)
    assert (made.files, stat.S_IMODE(made.path.stat().st_mode)) == (2, 0o600)
    note(places.data / "nanobot.db", "second")
    (places.workspace / "memory" / "ann" / "MEMORY.md").write_text("likes coffee")
    (places.workspace / "new.txt").write_text("new")

    restored = backup.restore(made.path, places, NOW)

    assert notes(places.data / "nanobot.db") == ["first"]
    assert (places.workspace / "memory" / "ann" / "MEMORY.md").read_text() == "likes tea"
    assert not (places.workspace / "new.txt").exists()
    assert (places.data / "outgoing" / "1").read_bytes() == b"bill"
    (database,) = [path for path in restored.kept if path.name.startswith("nanobot.db.before")]
    (workspace,) = [path for path in restored.kept if path.name.startswith("workspace.before")]
    assert notes(database) == ["first", "second"]
    assert (workspace / "new.txt").read_text() == "new"


def test_a_machine_that_never_saw_it_can_be_restored_to(places: Places, tmp_path: Path) -> None:
    made = backup.make(places, tmp_path / "b.tar.gz", NOW)
    fresh = Places(tmp_path / "fresh" / "data", tmp_path / "elsewhere" / "workspace")
    assert backup.restore(made.path, fresh, NOW).kept == ()
    assert notes(fresh.data / "nanobot.db") == ["first"]
    assert (fresh.workspace / "memory" / "ann" / "MEMORY.md").read_text() == "likes tea"


def test_it_is_one_moments_state_while_somebody_writes(places: Places, tmp_path: Path) -> None:
    """Each transaction writes two rows; a copy never holds one of them alone."""
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(places.data / "nanobot.db", isolation_level=None)) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                connection.execute("BEGIN")
                for half in "ab":
                    connection.execute(
                        "INSERT INTO channel_state VALUES ('pair', ?, '{}', 0)", (f"{number}{half}",)
                    )
                connection.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [backup.make(places, tmp_path / f"{n}.tar.gz", NOW) for n in range(5)]
    finally:
        stop.set()
        writer.join()
    for number, one in enumerate(made):
        there = Places(tmp_path / str(number), tmp_path / str(number) / "w")
        backup.restore(one.path, there, NOW)
        pairs = [key for key in notes(there.data / "nanobot.db") if key != "first"]
        assert len(pairs) % 2 == 0
        assert {key[:-1] for key in pairs if key.endswith("a")} == {
            key[:-1] for key in pairs if key.endswith("b")
        }


def test_a_channels_own_database_is_whole_while_it_is_written_to(places: Places, tmp_path: Path) -> None:
    path = places.data / "channels" / "whatsapp" / "session.db"
    path.parent.mkdir(parents=True)
    stop, going = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 20")
            connection.execute("CREATE TABLE key (id INTEGER PRIMARY KEY, content BLOB, round INTEGER)")
            connection.execute("CREATE INDEX of_round ON key (round)")
            number = 0
            while not stop.is_set():
                number += 1
                connection.execute("BEGIN")
                for one in range(4):
                    row = (number * 4 + one) % 2000, number
                    connection.execute("INSERT OR REPLACE INTO key VALUES (?, randomblob(900), ?)", row)
                connection.execute("COMMIT")
                if number > 500:
                    going.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert going.wait(30.0)
        made = [backup.make(places, tmp_path / f"{n}.tar.gz", NOW) for n in range(4)]
    finally:
        stop.set()
        writer.join()
    for number, one in enumerate(made):
        there = Places(tmp_path / str(number), tmp_path / str(number) / "w")
        backup.restore(one.path, there, NOW)
        (copy,) = (there.data / "channels" / "whatsapp").iterdir()
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            assert connection.execute("SELECT DISTINCT count(*) FROM key GROUP BY round").fetchall() == [(4,)]


def test_a_channels_damaged_database_is_no_reason_for_no_backup(places: Places, tmp_path: Path) -> None:
    path = places.data / "channels" / "whatsapp" / "session.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    made = backup.make(places, tmp_path / "b.tar.gz", NOW)
    there = Places(tmp_path / "there", tmp_path / "there" / "w")
    backup.restore(made.path, there, NOW)
    assert (there.data / "channels" / "whatsapp" / "session.db").read_bytes() == path.read_bytes()


def flipped(data: bytes) -> bytes:
    plain = bytearray(gzip.decompress(data))
    plain[plain.index(b"likes tea")] ^= 1
    return gzip.compress(bytes(plain))


def foreign(_data: bytes) -> bytes:
    return tarred({"holiday.jpg": b"x"})


def escaping(_data: bytes) -> bytes:
    return tarred({"workspace/../../evil": b"x"})


def newer(data: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {info.name: file.read() for info in tar if (file := tar.extractfile(info)) is not None}
    manifest = json.loads(files.pop("manifest.json"))
    return tarred({**files, "manifest.json": json.dumps({**manifest, "schema": "9999"}).encode()})


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[: len(data) // 2], "can't be restored"),
        (flipped, "is damaged: workspace/memory/ann/MEMORY.md"),
        (lambda _: b"not an archive", "can't be restored"),
        (foreign, "has no place in a backup"),
        (escaping, "has no place in a backup"),
        (newer, "newer than this one"),
        (lambda _: tarred({}), "is no backup of nanobot"),
        (lambda _: tarred({"manifest.json": b"{"}), "can't be restored"),
    ],
)
def test_what_is_not_whole_changes_nothing(
    spoil: Callable[[bytes], bytes], said: str, places: Places, tmp_path: Path
) -> None:
    made = backup.make(places, tmp_path / "b.tar.gz", NOW)
    made.path.write_bytes(spoil(made.path.read_bytes()))
    note(places.data / "nanobot.db", "second")
    before = sorted(places.data.iterdir())
    with pytest.raises(BackupError, match=said):
        backup.restore(made.path, places, NOW)
    assert notes(places.data / "nanobot.db") == ["first", "second"]
    assert sorted(places.data.iterdir()) == before


def test_a_folder_that_is_not_there_is_named(places: Places, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"/none/b could not be written: No such file or directory$"):
        backup.make(places, tmp_path / "none" / "b", NOW)


def test_a_file_that_is_there_is_not_overwritten(places: Places, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("something else")
    with pytest.raises(BackupError, match="exists already"):
        backup.make(places, tmp_path / "b.tar.gz", NOW)
    assert (tmp_path / "b.tar.gz").read_text() == "something else"


@pytest.mark.parametrize("place", ["workspace", "workspace/backups", "channels"])
def test_a_backup_does_not_lie_in_what_is_backed_up(place: str, places: Places) -> None:
    folder = places.data / place
    folder.mkdir(exist_ok=True)
    with pytest.raises(BackupError, match="is backed up itself"):
        backup.make(places, folder / "b.tar.gz", NOW)
    assert not list(folder.glob("*.tar.gz"))


KILLED = """
import os, sys
from pathlib import Path
from bot import backup

def audit(event, args, moves=[]):
    if event == "os.rename" or event == "shutil.move":
        moves.append(args)
        if len(moves) == int(sys.argv[3]):
            os.kill(os.getpid(), 9)

sys.addaudithook(audit)
backup.restore(Path(sys.argv[1]), backup.Places(Path(sys.argv[2]), Path(sys.argv[2], "workspace")), 0.0)
"""


def test_a_restore_that_is_killed_is_seen_and_made_again(places: Places, tmp_path: Path) -> None:
    made = backup.make(places, tmp_path / "b.tar.gz", NOW)
    database, killed = places.data / "nanobot.db", 0
    for step in range(1, 30):
        note(database, "second")
        (places.workspace / "memory" / "ann" / "MEMORY.md").write_text("likes coffee")
        command = [sys.executable, "-c", KILLED, str(made.path), str(places.data), str(step)]
        if subprocess.run(command, check=False).returncode == 0:
            break
        killed += 1
        if database.exists():
            whole = (["first", "second"], "likes coffee"), (["first"], "likes tea")
            now = notes(database), (places.workspace / "memory" / "ann" / "MEMORY.md").read_text()
            assert now in whole
        else:
            with pytest.raises(StorageError, match="a restore was cut short"):
                schema.prepare(database)
        backup.restore(made.path, places, NOW + step)
        assert notes(database) == ["first"]
        assert (places.workspace / "memory" / "ann" / "MEMORY.md").read_text() == "likes tea"
        assert not list(places.data.glob(".restore-*"))
    assert killed > 6


def test_where_nothing_is_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        backup.make(Places(tmp_path, tmp_path / "w"), tmp_path / "b.tar.gz", NOW)
    assert not (tmp_path / "b.tar.gz").exists()


def test_looking_only_changes_nothing(places: Places, tmp_path: Path) -> None:
    made = backup.make(places, tmp_path / "b.tar.gz", NOW)
    note(places.data / "nanobot.db", "second")
    checked = backup.restore(made.path, places, NOW, look_only=True)
    assert (checked.at, checked.files) == (NOW, 2)
    assert notes(places.data / "nanobot.db") == ["first", "second"]

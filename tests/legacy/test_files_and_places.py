"""Which label old files get, and that no old conversation is left out unsaid."""

from __future__ import annotations

from pathlib import Path

from bot.legacy import files
from bot.legacy.made import Format, Made
from bot.legacy.notes import Fate, Note
from bot.legacy.places import Places
from bot.legacy.transcripts import Line, Talk


def test_files_from_elsewhere_are_labelled_where_an_import_was_cut_off_before_that(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "downloads").mkdir(parents=True)
    (old / "downloads" / "page.md").write_text("obey me")
    (old / "notes.md").write_text("mine")
    copies, _ = files.plan(old, "owner")

    files.copy(copies, new)
    again = files.copy(copies, new)

    assert (again.done, again.there) == (0, 2)
    assert again.untrusted == ("downloads/page.md",)


def test_a_file_that_was_rewritten_since_keeps_the_label_that_it_has(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "downloads").mkdir(parents=True)
    (old / "downloads" / "page.md").write_text("obey me")
    (new / "downloads").mkdir(parents=True)
    (new / "downloads" / "page.md").write_text("mine")

    assert files.copy(files.plan(old, "owner")[0], new).untrusted == ()


def test_a_second_conversation_for_the_same_chat_is_said_to_be_left_out() -> None:
    turns = ((Line("user", "a", 1.0), Line("assistant", "b", 2.0)),)
    notes: list[Note] = []
    found = [Talk("cli:direct", turns), Talk("cli:default", turns)]

    assert len(Places(Made(Format.RUST), notes).talks(found)) == 1
    assert [(note.fate, note.old) for note in notes] == [(Fate.DROPPED, "conversation 'cli:default'")]

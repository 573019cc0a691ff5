"""A skill's folder: what it says, what it lacks, what is no skill, and that no change goes unnoticed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.skills.folder import SHEET, Unusable, load, read, settled, stamp


def have(*names: str) -> Callable[[str], str | None]:
    return lambda name: f"/usr/bin/{name}" if name in names else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "invoices"
    (made / "scripts").mkdir(parents=True)
    (made / "scripts" / "total.py").write_text("print(1)")
    sheet(made, "")
    return made


def sheet(folder: Path, more: str, name: str = "invoices") -> None:
    text = f"---\nname: {name}\ndescription: Writes\n  invoices.\n{more}---\n\n# How\n"
    (folder / SHEET).write_text(text)


def test_what_a_folder_holds(folder: Path) -> None:
    sheet(folder, 'license: MIT\nversion: "2"\nallowed-tools: Bash Read\n')
    skill = load(folder, have())

    assert (skill.name, skill.description, skill.body) == ("invoices", "Writes invoices.", "# How")
    assert sorted(skill.files) == ["SKILL.md", "scripts/total.py"]
    assert (skill.problem, skill.missing) == ("", ())
    assert read(folder, "scripts/total.py", skill.files) == b"print(1)"


def rename(folder: Path) -> None:
    (folder / "scripts" / "total.py").rename(folder / "scripts" / "sum.py")


def edit_keeping_size_and_time(folder: Path) -> None:
    file = folder / "scripts" / "total.py"
    about = file.stat()
    file.write_text("print(2)")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


CHANGES = (
    lambda folder: (folder / "new.txt").write_text("x"),
    lambda folder: (folder / "scripts" / "total.py").unlink(),
    lambda folder: (folder / "scripts" / "total.py").chmod(0o755),
    lambda folder: sheet(folder, "license: MIT\n"),
    rename,
    edit_keeping_size_and_time,
)


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_seen(folder: Path, change: Callable[[Path], object]) -> None:
    before, seen = load(folder, have()).digest, stamp(folder)
    assert (load(folder, have()).digest, stamp(folder)) == (before, seen)
    change(folder)
    assert load(folder, have()).digest != before
    assert stamp(folder) != seen


def test_a_change_within_the_clocks_tick_may_not_be_seen_by_its_stamp(folder: Path) -> None:
    seen = stamp(folder)
    newest = max(changed for *_, changed, _ in seen)
    assert not settled(seen, newest + 1000)
    assert settled(seen, newest + 2_000_000_000)


def test_hidden_files_are_no_part_of_it(folder: Path) -> None:
    before = load(folder, have()).digest
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_text("x")
    assert load(folder, have()).digest == before


def test_a_file_that_changes_while_it_is_read_is_not_given_out(folder: Path) -> None:
    skill = load(folder, have())
    (folder / "scripts" / "total.py").write_text("print('other')")
    with pytest.raises(Unusable, match="changed just now"):
        read(folder, "scripts/total.py", skill.files)


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ("compatibility: Requires git, jq, Python 3.10+ and access to the internet.\n", ("jq",)),
        ("compatibility: Designed for other assistants\n", ()),
        ("metadata:\n  requires: git jq, ffmpeg\n", ("jq", "ffmpeg")),
        ('metadata: {"vendor": {"requires": {"bins": ["jq"], "anyBins": ["a", "b"]}}}\n', ("a or b", "jq")),
        ('metadata: {"vendor": {"requires": {"anyBins": ["a", "git"]}}}\n', ()),
        ("metadata: {requires: {bins: 5}}\n", ()),
    ],
)
def test_programs_that_it_needs_and_this_machine_lacks(
    folder: Path, more: str, missing: tuple[str, ...]
) -> None:
    sheet(folder, more)
    skill = load(folder, have("git"))
    assert skill.problem == ""
    assert skill.missing == missing


def a_link(folder: Path) -> None:
    (folder / "passwd").symlink_to("/etc/passwd")


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (a_link, "passwd is no ordinary file"),
        (a_pipe, "pipe is no ordinary file"),
        (lambda f: (f / SHEET).unlink(), "holds no SKILL.md"),
        (lambda f: sheet(f, "", "other"), 'SKILL.md:2: name: found "other"; expected "invoices"'),
        (lambda f: sheet(f, "", "In--voices"), "SKILL.md:2: name: found"),
        (
            lambda f: (f / SHEET).write_text("---\nname: invoices\n---\n"),
            "SKILL.md:1: description: is missing",
        ),
        (
            lambda f: (f / SHEET).write_text("---\nname: invoices\ndescription: when: x\n---\n"),
            "SKILL.md:3: is not",
        ),
        (lambda f: (f / SHEET).write_bytes(b"\xff"), "is not UTF-8"),
        (lambda f: [(f / f"{n}.txt").touch() for n in range(501)], "more than 500 files"),
        (lambda f: (f / "a/b/c/d/e/f/g/h/i").mkdir(parents=True), "lies too deep"),
    ],
)
def test_what_is_no_skill(folder: Path, spoil: Callable[[Path], object], says: str) -> None:
    spoil(folder)
    skill = load(folder, have())
    assert skill.problem.startswith("skills/invoices: ")
    assert says in skill.problem
    assert not skill.digest

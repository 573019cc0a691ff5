"""Profiles of workers: read when asked for, every mistake said with its place and what was probably meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.agent.helpers import listed
from bot.agent.profiles import Profile, Profiles, Usable
from bot.desk import ToolError

USABLE = Usable(
    {"files_read", "files_write", "files", "web_fetch"}, lambda name: "" if name == "good" else "who?"
)
FULL = """---
name: reader
description: Reads long things.
model: good
tools: [files_read, web_fetch]
max_steps: 3
deadline: 90
---
Read slowly.
"""


def write(workspace: Path, name: str, text: str) -> Path:
    (workspace / "agents").mkdir(exist_ok=True)
    file = workspace / "agents" / f"{name}.md"
    file.write_text(text)
    return file


def test_every_field_arrives(tmp_path: Path) -> None:
    write(tmp_path, "reader", FULL)

    assert Profiles(tmp_path).get("reader", USABLE) == Profile(
        "reader", "Reads long things.", "Read slowly.", "good", ("files_read", "web_fetch"), 3, 90.0
    )


def test_a_role_stands_for_its_model_and_the_rest_may_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, "thinker", "---\ndescription: Thinks.\nrole: reasoning\n---\n")

    assert Profiles(tmp_path).get("thinker", USABLE) == Profile("thinker", "Thinks.", model="reasoning")


def test_no_name_is_the_plain_worker_also_without_a_folder(tmp_path: Path) -> None:
    assert Profiles(tmp_path).get("", USABLE) == Profile()
    assert Profiles(tmp_path).listed() == []


def test_an_unknown_name_is_told_which_there_are(tmp_path: Path) -> None:
    profiles = Profiles(tmp_path)
    with pytest.raises(ToolError, match="there are none"):
        profiles.get("reader", USABLE)
    write(tmp_path, "reader", FULL)
    with pytest.raises(ToolError, match="did you mean reader"):
        profiles.get("raeder", USABLE)
    with pytest.raises(ToolError, match="there are: reader"):
        profiles.get("../config", USABLE)


def test_a_changed_file_counts_at_once_and_an_unchanged_one_is_not_read_again(tmp_path: Path) -> None:
    file = write(tmp_path, "reader", FULL)
    profiles = Profiles(tmp_path)
    first = profiles.get("reader", USABLE)
    assert profiles.get("reader", USABLE) is first
    file.write_text(FULL.replace("slowly", "quickly"))
    os.utime(file, ns=(1, 1))
    assert profiles.get("reader", USABLE).prompt == "Read quickly."
    file.unlink()
    assert profiles.listed() == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("---\ndescription: x\ntols: [files]\n---\n", ":3: tols: unknown key; did you mean tools?"),
        (
            "---\ndescription: x\ntools: [file]\n---\n",
            ':3: tools: there is no tool "file"; did you mean files?',
        ),
        ("---\ndescription: x\nmodel: bad\n---\n", ":3: model: who?"),
        (
            "---\ndescription: x\nrole: boss\n---\n",
            ':3: role: found "boss"; expected "reasoning" or "rlm" or',
        ),
        ("---\ndescription: x\nrole: rlm\nmodel: good\n---\n", ":3: role: stands beside model"),
        ("---\nname: y\ndescription: x\n---\n", ':2: name: found "y"; expected "one", the file\'s own name'),
        ("---\ntools: [files]\n---\n", ":1: description: is missing; expected text"),
        (
            "---\ndescription: x\nmax_steps: many\n---\n",
            ':3: max_steps: found "many"; expected a whole number',
        ),
        ("---\ndescription: x\ndeadline: 0\n---\n", ":3: deadline: found 0; expected a number above 0"),
        ("---\ndescription: x\ntools: files\n---\n", ':3: tools: found "files"; expected a list'),
        ("---\ndescription: 2024-01-01\n---\n", ":2: description: found a date or time; expected text"),
        ("just text", ":1: has no front matter"),
    ],
)
def test_a_mistake_is_told_by_its_place_and_the_profile_refused(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = write(tmp_path, "one", text)
    write(tmp_path, "README", "no profile")
    write(tmp_path, "reader", FULL)
    profiles = Profiles(tmp_path)

    (line,) = profiles.problems(USABLE)

    assert line.startswith(f"{file}{problem}")
    with pytest.raises(ToolError) as refused:
        profiles.get("one", USABLE)
    assert f"agents/one.md{problem}" in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
    assert profiles.get("reader", USABLE).name == "reader"


def test_odd_files_are_refused_without_being_waited_for(tmp_path: Path) -> None:
    write(tmp_path, "big", FULL + "x" * 70_000)
    write(tmp_path, "bytes", "").write_bytes(b"---\ndescription: \xff\n---\n")
    os.mkfifo(tmp_path / "agents" / "pipe.md")

    said = [line.rsplit("/", 1)[1] for line in Profiles(tmp_path).problems(USABLE)]

    assert said == [
        "big.md:1: is no file of at most 64000 bytes",
        "bytes.md:1: is not UTF-8",
        "pipe.md:1: is no file of at most 64000 bytes",
    ]


def test_the_list_for_a_prompt_keeps_to_its_budget() -> None:
    many = [Profile(f"worker-{n}", "Does\nthings. " * 40) for n in range(30)]
    text = listed(many)
    assert text.startswith("Kinds of workers")
    assert "- worker-0: Does things." in text
    assert text.endswith("- worker-29")
    assert len(text) < 2_300
    assert listed([]) == ""

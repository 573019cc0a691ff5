"""Which settings a reload takes up: one table, which the docs show and which knows every section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.config import Config
from bot.reload import PARTS, Reloaded, changed, merged

DOCS = Path(__file__).parents[2] / "docs" / "CONFIGURATION.md"


def config(**sections: object) -> Config:
    return Config.model_validate(sections, strict=False)


def test_every_section_has_its_line_and_every_line_its_setting() -> None:
    assert {part.name.partition(".")[0] for part in PARTS} == set(Config.model_fields)
    for part in PARTS:
        section, _, key = part.name.partition(".")
        assert not key or hasattr(getattr(Config(), section), key), part.name


def test_the_page_says_what_the_table_says() -> None:
    rows = re.findall(r"(?m)^\| `([\w.]+)` \| (yes|no) \| (.+) \|$", DOCS.read_text(encoding="utf-8"))
    assert rows == [(part.name, "yes" if part.live else "no", part.note) for part in PARTS]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ({}, {}, []),
        ({}, {"agent": {"max_steps": 3}}, [("[agent] max_steps", True)]),
        ({}, {"agent": {"max_concurrent_turns": 3}}, [("[agent] max_concurrent_turns", False)]),
        (
            {"providers": {"a": {"api_key": "one"}, "b": {}}},
            {"providers": {"a": {"api_key": "two"}, "c": {}}},
            [("[providers.a]", True), ("[providers.b] (gone)", True), ("[providers.c] (new)", True)],
        ),
        ({"models": {"fast": "a/b"}}, {"models": {"fast": "a/c"}}, [("[models] fast", True)]),
        ({}, {"tools": {"shell": {"network": True}}}, [("[tools.shell]", True)]),
        ({}, {"workspace": {"path": "/other"}}, [("[workspace] path", False)]),
        ({}, {"limits": {"usd_per_day": 1}}, [("[limits] usd_per_day", True)]),
    ],
)
def test_what_has_changed(
    old: dict[str, object], new: dict[str, object], says: list[tuple[str, bool]]
) -> None:
    assert list(changed(config(**old), config(**new))) == says


def test_what_needs_a_restart_stays_as_it_is_and_is_said_again_the_next_time() -> None:
    running = config(agent={"max_concurrent_turns": 2, "max_steps": 5}, workspace={"path": "/here"})
    new = config(agent={"max_concurrent_turns": 4, "max_steps": 9}, workspace={"path": "/there"})

    now = merged(running, new)

    assert (now.agent.max_concurrent_turns, now.agent.max_steps, now.workspace.path) == (2, 9, "/here")
    assert [live for _, live in changed(now, new)] == [False, False]
    assert merged(running, running) == running


def test_it_is_told_in_lines() -> None:
    assert Reloaded("", (), (), ()).lines() == ["Read no file: there is none.", "Nothing has changed."]
    done = Reloaded("/c.toml", ("[agent] max_steps",), ("[channels.x]", "[workspace] path"), ("a note",))
    assert done.lines() == [
        "Read /c.toml.",
        "Taken up: [agent] max_steps",
        "Needs a restart, until then as before: [channels.x], [workspace] path",
        "a note",
    ]

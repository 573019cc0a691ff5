"""`nanobot skills` in words."""

from __future__ import annotations

from bot.cli.skills import enabled, render

TEA = {
    "name": "tea",
    "description": "Makes tea.",
    "state": "enabled",
    "problem": "",
    "missing": [],
    "compatibility": "",
    "files": ["SKILL.md", "leaves.md"],
    "digest": "x",
    "enabled_at": 1_700_000_000.0,
    "enabled_by": "ann",
}


def test_each_has_a_paragraph_that_says_what_to_do() -> None:
    new = {**TEA, "name": "new", "state": "not enabled", "enabled_at": None, "missing": ["jq"]}
    broken = {
        **new,
        "name": "bad",
        "state": "can't be used",
        "problem": "skills/bad: holds no SKILL.md\x1b[2J",
    }

    tea, second, third = render([TEA, new, broken]).split("\n\n")

    assert tea.splitlines() == ["tea: enabled", "  Makes tea.", "  enabled on 14 Nov 2023 by ann"]
    assert second.splitlines() == [
        "new: not enabled",
        "  Makes tea.",
        "  not found on this machine: jq",
        "  `nanobot skills enable new` lets the models follow it; read its files before",
    ]
    assert third.splitlines() == ["bad: can't be used", "  skills/bad: holds no SKILL.md[2J"]
    assert "skills/ in the workspace" in render([])


def test_a_yes_says_what_it_covers() -> None:
    said = enabled({**TEA, "missing": ["jq"]})
    assert "SKILL.md, leaves.md" in said
    assert said.endswith("Not found on this machine: jq")

"""A configuration file is changed without losing what a person wrote in it, or not at all."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import load_config
from bot.config.edit import Place, edited, set_values, values_of
from bot.errors import BotError, ConfigError
from tests.architecture.tree import ROOT

MINE = """\
# mine
[agent] # a heading
max_steps = 3     # few
#max_tokens = 12

# --- about providers

[providers.groq]
api_key = "old" # the work account
models = [
    "a", # first
    "b",
]

[channels.telegram]
token = "1:a"
"""


def test_a_value_is_replaced_where_it_stands_and_nothing_else_moves() -> None:
    after = edited(MINE, {("providers", "groq", "api_key"): "new", ("agent", "max_steps"): 5})

    assert after == MINE.replace('"old"', '"new"').replace("max_steps = 3 ", "max_steps = 5 ")


def test_a_new_key_stands_right_below_its_heading() -> None:
    after = edited(MINE, {("agent", "turn_deadline"): 60.0}, {("agent", "turn_deadline"): "Seconds."})

    assert after == MINE.replace("# a heading\n", "# a heading\n# Seconds.\nturn_deadline = 60.0\n")


def test_a_new_section_goes_to_the_end_with_its_comment() -> None:
    after = edited(
        MINE,
        {("limits", "usd_per_day"): 1.5, ("limits", "usd_per_month"): 10},
        {("limits",): "What it may cost.\nUS dollars."},
    )

    added = "\n# What it may cost.\n# US dollars.\n[limits]\nusd_per_day = 1.5\nusd_per_month = 10\n"
    assert after == MINE + added


def test_an_empty_section_is_made_once() -> None:
    once = edited("", {("providers", "ollama"): {}})

    assert once == "[providers.ollama]\n"
    assert edited(once, {("providers", "ollama"): {}}) == once


def test_none_removes_a_key() -> None:
    after = edited(MINE, {("providers", "groq", "models"): None, ("agent", "missing"): None})

    assert "models" not in after
    assert 'api_key = "old" # the work account' in after


def test_the_section_around_a_known_one_is_made_beside_it() -> None:
    before = '[providers.gpu.model_info."qwen3.5"]\ntools = true\n'

    after = edited(before, {("providers", "gpu", "api_base"): "http://a/v1"})

    assert after == f'{before}\n[providers.gpu]\napi_base = "http://a/v1"\n'


@pytest.mark.parametrize(
    "before",
    [
        "providers = {}",
        "providers = { x = { api_key = 'k' } }\n",
        "providers.x.api_key = 'k'\n",
        "[providers]\nx.api_key = 'k'\n",
        "[providers]\nx = { api_key = 'k' } # here\n",
        "[providers.x]\napi_key = 'k'\n[agent]\n[providers.y]\n",
        '[agent]\nx = """\n[providers.groq]\n"""\n',
    ],
)
def test_every_way_to_write_a_table_is_added_to(before: str) -> None:
    after = edited(before, {("providers", "groq", "api_key"): "k1"})

    data = tomllib.loads(before)
    data.setdefault("providers", {})["groq"] = {"api_key": "k1"}
    assert tomllib.loads(after) == data


@pytest.mark.parametrize(
    ("before", "place"),
    [
        ("providers = 3\n", ("providers", "groq", "api_key")),
        ("[[providers]]\n", ("providers", "groq", "api_key")),
        ("not toml", ("providers", "groq", "api_key")),
    ],
)
def test_what_can_not_be_changed_is_said_with_its_place(before: str, place: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"my\.toml: "):
        edited(before, {place: "k"}, called="my.toml")


def test_windows_line_ends_stay() -> None:
    before = "[agent]\r\nmax_steps = 3\r\n"

    assert edited(before, {("agent", "max_steps"): 4}) == before.replace("3", "4")


def test_the_example_is_changed_by_a_line(tmp_path: Path) -> None:
    before = (ROOT / "config.example.toml").read_text()

    after = edited(before, {("roles", "reasoning"): "main", ("agent", "max_steps"): 12})

    lines = after.splitlines()
    assert [line for line in lines if line not in before.splitlines()] == [
        'reasoning = "main"',
        "max_steps = 12",
    ]
    assert len(lines) == len(before.splitlines()) + 2
    assert lines[lines.index('reasoning = "main"') - 1] == "[roles]"


_KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=8)
_VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.lists(st.text("ab'\"\\\n", max_size=4), max_size=3),
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4), _KEYS, _VALUES)
def test_whatever_stands_there_the_change_is_all_that_changes(
    had: dict[str, Any], key: str, value: object
) -> None:
    before = edited("# mine\n", {("workspace", name): held for name, held in had.items()})

    after = edited(before, {("workspace", key): value})

    assert tomllib.loads(after) == {"workspace": {**had, key: value}}
    assert after.startswith("# mine\n")


# Files


def test_a_missing_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "config" / "nanobot" / "config.toml"

    set_values(file, {("agent", "max_steps"): 3})

    assert file.read_text() == "[agent]\nmax_steps = 3\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(("had", "has"), [(0o644, 0o600), (0o640, 0o640), (0o600, 0o600)])
def test_a_group_that_a_service_needs_keeps_reading_and_everybody_else_stops(
    tmp_path: Path, had: int, has: int
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[agent]\nmax_steps = 3\n")
    file.chmod(had)

    set_values(file, {("agent", "max_steps"): 3})

    assert file.stat().st_mode & 0o777 == has


def test_a_change_that_can_not_be_loaded_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[agent]\nmax_steps = 3\n")

    with pytest.raises(ConfigError) as refused:
        set_values(file, {("agent", "max_steps"): "many"})

    assert "left as it is" in str(refused.value)
    assert f"{file}:2: [agent] max_steps" in str(refused.value)
    assert file.read_text() == "[agent]\nmax_steps = 3\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_with_mistakes_of_its_own_can_be_changed(tmp_path: Path) -> None:
    """Else the very setting that mends it could not be written."""
    file = tmp_path / "config.toml"
    file.write_text("[agent]\nmax_stps = 3\n")

    set_values(file, {("agent", "max_stps"): None})

    assert load_config(file, {}).config.agent.max_steps == 30


def test_a_secret_of_the_environment_given_is_found(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    change: dict[Place, object] = {("providers", "groq", "api_key"): "env:MY_KEY"}

    with pytest.raises(ConfigError, match="MY_KEY is not set"):
        set_values(file, change, env={})
    assert not file.exists()

    set_values(file, change, env={"MY_KEY": "k"})
    assert values_of(file) == {"providers": {"groq": {"api_key": "env:MY_KEY"}}}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("")
    (tmp_path / "config.toml").symlink_to(tmp_path / "real.toml")

    set_values(tmp_path / "config.toml", {("agent", "max_steps"): 3})

    assert (tmp_path / "config.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text() == "[agent]\nmax_steps = 3\n"


def test_what_the_disk_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BotError, match="can't be written"):
        set_values(tmp_path / "file" / "config.toml", {("agent", "max_steps"): 3})

"""What `nanobot check` says of a configuration that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

import bot.tools
from bot.cli.check import check_lines, checked
from bot.config import Loaded, load_config
from bot.errors import ConfigError

ENV = {"HOME": "/home/me"}


def lines(loaded: Loaded, **env: str) -> list[str]:
    return check_lines(loaded, Path("/data"), {**ENV, **env})


def test_without_a_file_the_defaults_are_named() -> None:
    loaded = load_config(None, {"HOME": "/nowhere"})

    assert lines(loaded) == [
        "configuration  none in /home/me/.config/nanobot/config.toml or /etc/nanobot/config.toml; the defaults hold",
        "data           /data",
        "workspace      /data/workspace",
        "providers      none named; those found at the start are used",
        "roles          by default",
        "channels       none named; the terminal is always there",
        "people         none named",
        "owner          the first person whom `nanobot pair approve` lets in",
        "tools off      none",
        "The configuration can be used.",
    ]


def test_everything_that_a_file_says_is_told_without_its_secrets(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.touch(mode=0o600)
    file.write_text("""
        [providers.openrouter]
        api_key = "sk-secret"
        [providers.groq]
        [providers.local]
        [models]
        main = "openrouter/openrouter/free"
        [roles]
        reasoning = "main"
        rlm = "local"
        [people.anna]
        role = "owner"
        [people.ben]
        [workspace]
        path = "~/notes"
        [tools]
        off = ["clock"]
    """)

    said = lines(load_config(file, ENV), GROQ_API_KEY="gsk-secret")

    assert said == [
        f"configuration  {file}",
        "data           /data",
        "workspace      /home/me/notes",
        "providers      openrouter (with a key), groq (with a key from the environment), local (without a key)",
        "roles          reasoning = main, rlm = local",
        "channels       none named; the terminal is always there",
        "people         anna (no channel), ben (no channel)",
        "owner          anna",
        "tools off      clock",
        "The configuration can be used, but read this:",
        f"{file}:4: [providers.groq]: has no key; set api_key, or GROQ_API_KEY in the environment",
    ]
    assert not [line for line in said if "secret" in line]


def test_what_can_be_loaded_stays_as_it_is() -> None:
    loaded = load_config(None, {"HOME": "/nowhere"})

    assert checked(loaded, ENV) == loaded


def test_a_broken_tool_is_a_problem_unless_it_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hammer.py").write_text("1 / 0")
    monkeypatch.setattr(bot.tools, "__path__", [*bot.tools.__path__, str(tmp_path)])
    file = tmp_path / "config.toml"
    file.write_text("")

    with pytest.raises(ConfigError) as caught:
        checked(load_config(file, ENV), ENV)
    file.write_text('[tools]\noff = ["hammer"]\n')

    assert caught.value.problems == [
        f"{tmp_path}/hammer.py: can't be imported: ZeroDivisionError: division by zero"
    ]
    checked(load_config(file, ENV), ENV)


def test_profiles_of_workers_are_looked_at_where_the_workspace_is_known(tmp_path: Path) -> None:
    provider = '[providers.one]\napi_base = "http://x/v1"\nmodels = ["m"]\n'
    file = tmp_path / "config.toml"
    file.write_text(provider + '[models]\nfast = "one/m"\n[tools]\noff = ["web"]\n')
    agents = tmp_path / "data" / "workspace" / "agents"
    agents.mkdir(parents=True)
    (agents / "good.md").write_text("---\ndescription: x\nmodel: fast\ntools: [files]\n---\n")
    (agents / "bad.md").write_text("---\ndescription: x\nmodel: fats\ntools: [web_fetch]\n---\n")
    loaded = load_config(file, ENV)

    with pytest.raises(ConfigError) as caught:
        checked(loaded, ENV, tmp_path / "data")

    model, tools = caught.value.problems
    assert tools.startswith(f'{agents}/bad.md:4: tools: there is no tool "web_fetch"')
    assert model == f'{agents}/bad.md:3: model: there is no "fats"; did you mean fast?'
    assert checked(loaded, ENV) == loaded

"""A configuration file written and loaded in one step, where one channel is installed that only tests have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import channels.adapters
from bot.config import Loaded, load_config
from bot.errors import ConfigError

Load = Callable[..., Loaded]


@pytest.fixture(autouse=True)
def pigeon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `pigeon` the only channel, so that what is said of channels doesn't depend on which there are."""
    monkeypatch.setattr(channels.adapters, "__path__", [str(Path(__file__).parent / "adapters")])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file is to be; readable only by its owner."""
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    return path


@pytest.fixture
def load(file: Path) -> Load:
    def load(text: str, **env: str) -> Loaded:
        file.write_text(text, encoding="utf-8")
        return load_config(file, {"HOME": str(file.parent), **env})

    return load


@pytest.fixture
def problems(load: Load, file: Path) -> Callable[..., list[str]]:
    """The lines about a file that can't be used, without the file's folder."""

    def problems(text: str, **env: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, **env)
        return [line.replace(f"{file.parent}/", "") for line in caught.value.problems]

    return problems

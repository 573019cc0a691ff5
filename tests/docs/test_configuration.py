"""Every block of configuration that a page shows can be used as it stands.

A last line `# with: ...` names, as TOML with "; " for line ends, what a fragment needs beside it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.config import load_config
from tests.docs.pages import Block, blocks

_WITH = re.compile(r"(?m)^# with: (.*)$")
_SECRETS = {"TELEGRAM_TOKEN": "123456789:" + "a" * 35, "telegram": "123456789:" + "a" * 35}


def with_secrets(text: str, folder: Path) -> dict[str, str]:
    """An environment with all that the text refers to."""
    credentials = folder / "credentials"
    credentials.mkdir(exist_ok=True)
    for name in re.findall(r'"credential:([^"]+)"', text):
        place = credentials / name
        place.touch(mode=0o600)
        place.write_text(_SECRETS.get(name, f"secret-{name}"))
    names = re.findall(r'"env:([^"]+)"', text)
    env = {name: _SECRETS.get(name, f"secret-{name}") for name in names}
    return {"HOME": str(folder), "CREDENTIALS_DIRECTORY": str(credentials), **env}


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_it_can_be_used(block: Block, tmp_path: Path, examples: None) -> None:
    needed = "\n".join(_WITH.findall(block.text)).replace("; ", "\n")
    file = tmp_path / "config.toml"
    file.touch(mode=0o600)
    text = f"{block.text}\n{needed}\n"
    file.write_text(text)

    loaded = load_config(file, with_secrets(text, tmp_path))

    assert loaded.notices == (), f"{block}: nothing about it is to be complained of"


def test_there_are_blocks_to_look_at() -> None:
    assert len(blocks("toml")) > 15

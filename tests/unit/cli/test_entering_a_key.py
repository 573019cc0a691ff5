"""A key from the keyboard into the configuration file: checked, added, nothing lost, nobody else's to read."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.keys import check_key, write_key
from bot.config import load_config
from bot.errors import BotError, ConfigError
from providers.presets import PRESETS


class Provider(httpx.AsyncBaseTransport):
    """Answers everything with one status; `seen` holds the requests."""

    def __init__(self, status: int) -> None:
        self.seen: list[httpx.Request] = []
        self._status = status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self._status == 0:
            raise httpx.ConnectError("no route to host")
        return httpx.Response(self._status, json={})


@pytest.mark.parametrize("status", [200, 404, 429, 500, 0])
async def test_a_key_that_nobody_refuses_will_do(status: int) -> None:
    assert await check_key(PRESETS["groq"], "gsk-1", Provider(status)) == ""


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refused_key_is_said(status: int) -> None:
    assert f"groq refuses this key (status {status})" in await check_key(
        PRESETS["groq"], "gsk-1", Provider(status)
    )


@pytest.mark.parametrize("key", ["two words", "café", "line\nbreak", "\x1b[A"])
async def test_what_is_no_key_is_shown_to_nobody(key: str) -> None:
    provider = Provider(200)

    assert "no key" in await check_key(PRESETS["groq"], key, provider)
    assert provider.seen == []


@pytest.mark.parametrize(
    ("name", "url", "header"),
    [
        ("openrouter", "https://openrouter.ai/api/v1/key", "authorization"),
        ("groq", "https://api.groq.com/openai/v1/models", "authorization"),
        ("anthropic", "https://api.anthropic.com/v1/models", "x-api-key"),
    ],
)
async def test_the_key_is_shown_to_its_own_provider_alone(name: str, url: str, header: str) -> None:
    provider = Provider(200)
    await check_key(PRESETS[name], "sk-1", provider)

    (request,) = provider.seen
    assert (request.method, str(request.url)) == ("GET", url)
    assert request.headers[header].removeprefix("Bearer ") == "sk-1"


def test_a_missing_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "config" / "nanobot" / "config.toml"

    write_key(file, "openrouter", "sk-or-1")

    assert tomllib.loads(file.read_text()) == {"providers": {"openrouter": {"api_key": "sk-or-1"}}}
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_what_is_written_is_what_a_start_reads(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    write_key(file, "openrouter", "sk-or-1")

    key = load_config(file, dict(os.environ)).config.providers["openrouter"].api_key

    assert key is not None
    assert key.get_secret_value() == "sk-or-1"


@pytest.mark.parametrize(
    "before",
    [
        "# mine\n[agent]\nmax_steps = 3 # few",
        "[agent]\nmax_steps = 3\n\n\n",
        '[channels.telegram]\ntoken = "1:a"\n[providers]\n',
        "# only a comment",
    ],
)
def test_what_stands_in_the_file_stays(tmp_path: Path, before: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(before)
    file.chmod(0o644)

    write_key(file, "groq", "gsk-1")

    assert file.read_text().startswith(before.rstrip())
    after, old = tomllib.loads(file.read_text()), tomllib.loads(before)
    assert after.pop("providers") == {"groq": {"api_key": "gsk-1"}}
    old.pop("providers", None)
    assert after == old
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("before", ["providers = {}", '[providers.groq]\napi_key = "old"', "not toml"])
def test_a_file_that_can_not_be_added_to_is_left_alone(tmp_path: Path, before: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(before)

    with pytest.raises(ConfigError, match=r"config\.toml"):
        write_key(file, "groq", "gsk-1")

    assert file.read_text() == before


def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "config.toml").symlink_to(tmp_path / "dotfiles" / "nanobot.toml")

    write_key(tmp_path / "config.toml", "groq", "gsk-1")

    assert (tmp_path / "config.toml").is_symlink()
    assert "gsk-1" in (tmp_path / "dotfiles" / "nanobot.toml").read_text()


def test_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BotError, match="can't be written"):
        write_key(tmp_path / "file" / "config.toml", "groq", "gsk-1")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_every_key_survives(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    file = tmp_path_factory.mktemp("keys") / "config.toml"

    write_key(file, "groq", key)

    assert tomllib.loads(file.read_text())["providers"]["groq"]["api_key"] == key

"""A key from the keyboard into the configuration file: checked, added, nothing lost, nobody else's to read."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.keys import write_key
from bot.config import load_config
from bot.errors import BotError, ConfigError
from providers.keycheck import Verdict, check_key
from providers.presets import complete
from providers.settings import ProviderSettings


class Provider(httpx.AsyncBaseTransport):
    """Answers everything with one status; `seen` holds the requests."""

    def __init__(self, status: int, body: object = None) -> None:
        self.seen: list[httpx.Request] = []
        self._status = status
        self._body = body or {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self._status == 0:
            raise httpx.ConnectError("no route to host")
        return httpx.Response(self._status, json=self._body)


async def checked(provider: Provider, name: str = "groq", key: str = "gsk-1") -> Verdict:
    return await check_key(name, complete(name, ProviderSettings(), {}), key, provider)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "ok"),
        (400, "refused"),
        (401, "refused"),
        (403, "refused"),
        (404, "unsure"),
        (429, "unsure"),
        (500, "unsure"),
        (0, "unreachable"),
    ],
)
async def test_only_a_provider_that_refuses_speaks_against_a_key(status: int, state: str) -> None:
    verdict = await checked(Provider(status))

    assert verdict.state == state
    assert verdict.usable is (state != "refused")
    assert verdict.text.startswith("groq ")
    assert "gsk-1" not in verdict.text


@pytest.mark.parametrize("key", ["two words", "café", "line\nbreak", "\x1b[A"])
async def test_what_is_no_key_is_shown_to_nobody(key: str) -> None:
    provider = Provider(200)

    verdict = await checked(provider, key=key)

    assert (verdict.state, provider.seen) == ("refused", [])
    assert "no key" in verdict.text


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
    await checked(provider, name, "sk-1")

    (request,) = provider.seen
    assert (request.method, str(request.url)) == ("GET", url)
    assert request.headers[header].removeprefix("Bearer ") == "sk-1"


async def test_a_server_of_ones_own_is_asked_at_its_own_address() -> None:
    provider = Provider(200)
    settings = ProviderSettings(api_base="http://192.168.1.20:8080/v1/")

    await check_key("gpu", settings, "", provider)

    (request,) = provider.seen
    assert str(request.url) == "http://192.168.1.20:8080/v1/models"
    assert "authorization" not in request.headers


async def test_what_is_left_of_a_key_at_openrouter_is_told() -> None:
    data = {"free_model_daily_requests": {"used": 3, "limit": 50, "remaining": 47}, "limit_remaining": 4.5}

    verdict = await checked(Provider(200, {"data": data}), "openrouter", "sk-or-1")

    assert verdict.text == (
        "openrouter accepts the key; 3 of 50 free requests used today; $4.50 of its limit left"
    )


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


def test_a_key_that_is_there_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('# mine\n[providers.groq]\napi_key = "old" # at work\n')

    write_key(file, "groq", "gsk-1")

    assert file.read_text() == '# mine\n[providers.groq]\napi_key = "gsk-1" # at work\n'


def test_of_several_keys_the_first_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[providers.groq]\napi_keys = ["old", "second"]\n')

    write_key(file, "groq", "gsk-1")

    assert tomllib.loads(file.read_text()) == {"providers": {"groq": {"api_keys": ["gsk-1", "second"]}}}


@pytest.mark.parametrize("before", ["providers = 3", "[[providers]]", "not toml"])
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


KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(KEYS.filter(lambda key: not key.startswith(("env:", "file:", "credential:"))))
def test_every_key_survives(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    file = tmp_path_factory.mktemp("keys") / "config.toml"

    write_key(file, "groq", key)

    assert tomllib.loads(file.read_text())["providers"]["groq"]["api_key"] == key

"""config.example.toml: loads as it is and with everything in it switched on, and leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bot import plugins
from bot.config import Config, Loaded, load_config
from bot.config.schema import JobSettings
from channels.base import ChannelSpec
from providers.http import LOCAL
from providers.presets import PRESETS
from providers.settings import Limit, ModelSettings, ProviderSettings

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"
ENV = {
    "OPENROUTER_API_KEY": "sk-or-1",
    "ANTHROPIC_API_KEY": "sk-ant-1",
    "GROQ_API_KEY": "gsk-1",
    "GROQ_SECOND_KEY": "gsk-2",
    "BRAVE_API_KEY": "brave-1",
    "TELEGRAM_TOKEN": "123456:" + "a" * 35,
    "MAIL_PASSWORD": "sesame",
    "WHATSAPP_TOKEN": "EAAtoken",
    "WHATSAPP_APP_SECRET": "secret",
    "WHATSAPP_VERIFY_TOKEN": "verify",
}


@pytest.fixture(autouse=True)
def pigeon() -> None:
    """Here the channels count that anybody has."""


@pytest.fixture
def switched_on(file: Path) -> Loaded:
    """The example with the # taken away from every setting."""
    file.write_text(re.sub(r"(?m)^#(?=[\[\w])", "", EXAMPLE.read_text(encoding="utf-8")))
    key = file.with_name("gpu.key")
    key.touch(mode=0o600)
    key.write_text("gpu-key\n")
    return load_config(file, {"HOME": str(file.parent), **ENV})


def given(settings: Any) -> set[str]:
    return set(settings.model_fields_set)


def test_it_loads_as_it_is_and_changes_nothing() -> None:
    loaded = load_config(EXAMPLE, {})

    assert loaded.config == Config()
    assert loaded.notices == ()


def test_it_loads_with_everything_switched_on(switched_on: Loaded) -> None:
    assert switched_on.notices == ()
    key = switched_on.config.providers["gpu"].api_key
    assert key is not None
    assert key.get_secret_value() == "gpu-key"


def test_every_section_and_key_is_in_it(switched_on: Loaded) -> None:
    config = switched_on.config

    assert given(config) == set(Config.model_fields)
    for section in ("roles", "agent", "workspace", "tools", "limits", "voice", "retention", "metrics"):
        settings = getattr(config, section)
        assert given(settings) == set(type(settings).model_fields), section
    for settings in (config.tools.shell, config.tools.web):
        assert given(settings) == set(type(settings).model_fields)
    providers = set().union(*(given(settings) for settings in config.providers.values()))
    assert providers == set(ProviderSettings.model_fields) - {"rate_limit_remaining"}
    (info,) = config.providers["gpu"].model_info.values()
    assert given(info) == set(ModelSettings.model_fields)
    assert set().union(*(given(job) for job in config.jobs.values())) == set(JobSettings.model_fields)
    assert given(config.limits.roles["rlm"]) == set(Limit.model_fields)
    for kind in plugins.names("channels.adapters"):
        spec = plugins.load("channels.adapters", kind, ChannelSpec)
        assert given(config.channels[kind]) == set(spec.settings.model_fields), kind
        if spec.person is not None:
            assert any(kind in person.identities for person in config.people.values()), kind


def test_the_defaults_it_shows_are_the_defaults(switched_on: Loaded) -> None:
    shown = switched_on.config

    assert shown.agent.model_copy(update={"temperature": None}) == Config().agent
    gpu = shown.providers["gpu"]
    times = (gpu.connect_timeout, gpu.first_token_timeout, gpu.between_tokens_timeout)
    assert times == (LOCAL.connect, LOCAL.first_token, LOCAL.between_tokens)


def test_it_names_every_known_provider() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    assert [name for name in PRESETS if not re.search(rf"\b{name}\b", text)] == ["starter"]

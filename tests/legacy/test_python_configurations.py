"""The Python program's configuration: what it meant is what the new one says."""

from __future__ import annotations

from typing import Any

import pytest

from bot.legacy.made import Format
from bot.legacy.notes import Fate
from tests.legacy.conversion import converted, example


def test_the_example_keeps_its_models() -> None:
    found = converted(example("python"))

    assert found.made.format is Format.PYTHON
    assert found.toml["models"] == {
        "primary": "openrouter/anthropic/claude-sonnet-4.5",
        "cheap": "ollama/qwen3:8b",
    }
    assert found.toml["roles"] == {"reasoning": "primary", "reflection": "cheap", "compaction": "cheap"}
    assert found.toml["fallback"] == {"reasoning": ["primary", "cheap", "deepseek/deepseek-chat"]}
    assert found.toml["jobs"]["reflect"] == {"every": 7200.0}


def test_windows_stay_with_their_models() -> None:
    providers = converted(example("python")).toml["providers"]

    assert providers["openrouter"]["model_info"] == {
        "anthropic/claude-sonnet-4.5": {"context_window": 200000}
    }
    assert providers["ollama"]["model_info"] == {"qwen3:8b": {"context_window": 32768}}
    assert providers["deepseek"]["model_info"] == {"deepseek-chat": {"context_window": 65536}}


def test_providers_have_their_names_here_and_variables_stay_variables() -> None:
    providers = converted(example("python")).toml["providers"]

    assert list(providers) == ["openrouter", "ollama", "lmstudio", "homeLlama", "deepseek"]
    assert providers["openrouter"]["api_key"] == "env:OPENROUTER_API_KEY"
    assert "api_key" not in providers["homeLlama"], "none is no key"


def test_a_provider_that_is_asked_for_without_a_key_is_for_the_owner_to_settle() -> None:
    assert converted(example("python")).notes(Fate.TODO, "providers.deepseek")


def test_a_variable_that_is_not_set_is_said() -> None:
    bare = converted(example("python"))
    rich = converted(example("python"), {"OPENROUTER_API_KEY": "sk-secret", "TELEGRAM_TOKEN": "1:secret"})

    assert bare.notes(Fate.TODO, "providers.openrouter.apiKey")
    assert not rich.notes(Fate.TODO, "providers.openrouter.apiKey")
    assert "secret" not in rich.text + rich.said()


def test_people_have_their_time_zone() -> None:
    owner = converted(example("python")).toml["people"]["owner"]

    assert owner["telegram"] == 123456789
    assert (owner["role"], owner["timezone"]) == ("owner", "Europe/Rome")


def test_whom_pairing_let_in_may_still_write() -> None:
    data = example("python")
    data["channels"]["telegram"]["allowFrom"] = []
    found = converted(data, approved={"telegram": ["77|anna"], "discord": ["1"]})

    assert [p["telegram"] for p in found.toml["people"].values() if "telegram" in p] == [77]
    assert not found.notes(Fate.UNSAFE, "telegram")
    assert found.notes(Fate.DROPPED, "discord")


@pytest.mark.parametrize("nobody", [[], None])
def test_a_list_of_nobody_is_told(nobody: list[str] | None) -> None:
    data = example("python")
    data["channels"]["telegram"]["allowFrom"] = nobody

    (told,) = converted(data).notes(Fate.KEPT, "channels.telegram.allowFrom")
    assert told.text == "nobody is listed; unknown senders get a pairing code"


def test_a_star_that_let_everybody_in_is_pointed_out() -> None:
    data = example("python")
    data["channels"]["telegram"]["allowFrom"] = ["*"]
    data["api"]["host"] = "0.0.0.0"
    found = converted(data)

    assert found.notes(Fate.UNSAFE, "channels.telegram.allowFrom")
    assert found.notes(Fate.UNSAFE, "api.host")


def direct(model: str, **providers: Any) -> dict[str, Any]:
    return {"agents": {"defaults": {"model": model, "provider": "auto"}}, "providers": providers}


def test_a_provider_left_to_be_guessed_is_found_by_the_models_name() -> None:
    key = {"apiKey": "k"}
    cases = {
        "anthropic/claude-x": (
            direct("anthropic/claude-x", anthropic=key, openrouter=key),
            "anthropic/claude-x",
        ),
        "vendor/m": (direct("vendor/m", openrouter=key), "openrouter/vendor/m"),
        "claude-y": (direct("claude-y", anthropic=key, groq=key), "anthropic/claude-y"),
        "other": (direct("other", groq=key), "groq/other"),
    }
    for data, expected in cases.values():
        assert converted(data).toml["roles"]["reasoning"] == expected


def test_snake_case_is_read_as_well() -> None:
    data = {
        "agents": {"defaults": {"model_preset": "main", "max_tool_iterations": 7}},
        "model_presets": {"main": {"provider": "lm_studio", "model": "qwen", "context_window_tokens": 9000}},
        "providers": {"lmStudio": {"api_base": "http://127.0.0.1:1234/v1"}},
    }
    found = converted(data)

    assert found.toml["models"] == {"main": "lmstudio/qwen"}
    assert found.toml["agent"]["max_steps"] == 7
    assert found.toml["providers"]["lmstudio"]["model_info"]["qwen"]["context_window"] == 9000


def test_a_full_dump_with_empty_providers_stays_short() -> None:
    data = example("python")
    data["providers"] |= {
        f"vendor{n}": {"apiKey": "", "apiBase": None, "extraHeaders": None} for n in range(40)
    }
    found = converted(data)

    assert not [name for name in found.toml["providers"] if name.startswith("vendor")]
    assert len(found.notes(Fate.IDLE, "providers.vendor")) == 40


def test_tools_that_were_off_stay_off_and_servers_of_tools_are_said() -> None:
    data = example("python")
    data["tools"]["exec"]["enable"] = False
    data["tools"]["mcpServers"]["fs"]["env"] = {"TOKEN": "hidden-token"}
    found = converted(data)

    assert found.toml["tools"]["off"] == ["shell"]
    assert found.notes(Fate.DROPPED, "mcpServers.fs")
    assert "hidden-token" not in found.text + found.said()


def test_the_mailbox_and_its_correspondent_are_kept() -> None:
    found = converted(example("python"))

    assert found.toml["channels"]["email"] == {
        "imap_host": "imap.gmail.com",
        "imap_port": 993,
        "smtp_host": "smtp.gmail.com",
        "smtp_port": 587,
        "username": "bot@example.org",
        "password": "env:IMAP_PASSWORD",
        "address": "bot@example.org",
        "folder": "INBOX",
        "poll": 30.0,
    }
    assert found.toml["people"]["owner"]["email"] == "me@example.org"
    assert found.notes(Fate.TODO, "channels.email.smtpPassword"), "one password serves for both"


def test_mail_whose_sender_was_not_checked_is_pointed_out() -> None:
    data = example("python")
    data["channels"]["email"] |= {"verifyDkim": False, "imapUseSsl": False}
    found = converted(data)

    assert found.notes(Fate.UNSAFE, "channels.email.verifyDkim")
    assert found.notes(Fate.UNSAFE, "channels.email.imapUseSsl")


def test_ranges_of_the_own_network_are_not_said_to_be_open() -> None:
    old = example("python")
    old["tools"]["ssrfWhitelist"] = ["192.168.0.0/16", "10.0.0.5"]
    found = converted(old)

    assert found.toml["tools"]["web"]["allow"] == ["10.0.0.5"]
    (note,) = found.notes(Fate.TODO, "ssrfWhitelist")
    assert "192.168.0.0/16" in note.text

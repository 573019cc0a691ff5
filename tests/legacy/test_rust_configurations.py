"""The Rust program's configuration: what it meant is what the new one says."""

from __future__ import annotations

from typing import Any

import pytest

from bot.legacy.made import Format
from bot.legacy.notes import Fate
from tests.legacy.conversion import converted, example


def test_the_example_keeps_its_models() -> None:
    found = converted(example("rust"))

    assert found.made.format is Format.RUST
    assert found.toml["roles"] == {
        "reasoning": "openrouter/anthropic/claude-sonnet-4-5",
        "rlm": "delegation/ministral-3-8b",
        "reflection": "openrouter/google/gemini-2.5-flash",
        "compaction": "openrouter/google/gemini-2.5-flash",
    }
    assert list(found.toml["providers"]) == ["openrouter", "anthropic", "groq", "vllm", "delegation"]
    assert found.toml["providers"]["vllm"] == {"api_key": "dummy", "api_base": "http://192.168.1.20:8000/v1"}
    assert found.toml["providers"]["delegation"]["api_base"] == "http://localhost:8090/v1"


def test_a_chain_of_the_providers_that_were_never_used_is_offered_and_off() -> None:
    found = converted(example("rust"))

    assert "reasoning" not in found.toml["fallback"]
    assert (
        '# reasoning = ["openrouter/anthropic/claude-sonnet-4-5", "anthropic", "groq", "vllm"]' in found.text
    )


def test_tools_fall_back_to_the_conversations_own_model() -> None:
    assert converted(example("rust")).toml["fallback"]["rlm"] == [
        "delegation/ministral-3-8b",
        "openrouter/anthropic/claude-sonnet-4-5",
    ]


def test_the_example_keeps_its_limits() -> None:
    found = converted(example("rust"))

    assert found.toml["agent"] == {
        "max_tokens": 8192,
        "max_concurrent_turns": 4,
        "max_tool_result_chars": 20000,
        "temperature": 0.6,
        "max_steps": 50,
        "worker_steps": 6,
    }
    assert found.toml["tools"] == {"web": {"brave_key": "BSA-EXAMPLE"}, "shell": {"timeout": 120.0}}


def test_numbers_let_people_in_and_names_do_not() -> None:
    found = converted(example("rust"))

    assert found.toml["people"]["owner"]["telegram"] == 11111111
    (alice,) = [note for note in found.notes(Fate.DROPPED, "telegram.allowFrom") if "alice" in note.text]
    assert "pair" in alice.text


def test_what_was_open_to_everybody_is_pointed_out() -> None:
    data = example("rust")
    data["channels"]["telegram"]["allowFrom"] = []
    found = converted(data)

    assert found.notes(Fate.UNSAFE, "channels.telegram.allowFrom")
    assert "telegram" not in str(found.toml.get("people", {}))
    assert found.notes(Fate.UNSAFE, "gateway.host")
    assert "0.0.0.0" not in found.text


def test_several_senders_are_users_and_nobody_is_made_the_owner() -> None:
    data = example("rust")
    data["channels"] = {"telegram": {"enabled": True, "token": "1:a", "allowFrom": ["11", "22"]}}
    found = converted(data)

    assert {name: person["role"] for name, person in found.toml["people"].items()} == {
        "telegram-11": "user",
        "telegram-22": "user",
    }
    assert any('role = "owner"' in note.text for note in found.notes(Fate.TODO, "people"))


def keys(**given: str) -> dict[str, Any]:
    return {name: {"apiKey": key} for name, key in given.items()}


@pytest.mark.parametrize(
    ("providers", "model", "expected"),
    [
        (
            keys(openrouter="a", anthropic="b"),
            "anthropic/claude-opus-4-5",
            "openrouter/anthropic/claude-opus-4-5",
        ),
        (keys(anthropic="b"), "anthropic/claude-opus-4-5", "anthropic/claude-opus-4-5"),
        (keys(deepseek="a", anthropic="b"), "deepseek/deepseek-chat", "deepseek/deepseek-chat"),
        (keys(deepseek="a"), None, "deepseek/claude-opus-4-5"),
        (keys(groq="g", gemini="x"), "gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        (keys(groq="g"), "meta-llama/llama-4", "groq/meta-llama/llama-4"),
        # The later program went by the model's prefix first.
        (keys(openrouter="a", anthropic="b", huggingface=""), "anthropic/claude-x", "anthropic/claude-x"),
        (keys(openrouter="none", groq="g", huggingface=""), "llama-4", "groq/llama-4"),
        (keys(anthropic="b", zhipuCoding=""), "groq/llama-4", "anthropic/llama-4"),
    ],
)
def test_the_first_key_in_their_order_answers(providers: Any, model: str | None, expected: str) -> None:
    defaults = {"model": model} if model else {}
    found = converted({"providers": providers, "agents": {"defaults": {"maxConcurrentChats": 4, **defaults}}})

    assert found.toml["roles"]["reasoning"] == expected


def test_a_model_at_a_provider_that_lacks_it_is_for_the_owner_to_settle() -> None:
    found = converted({"providers": keys(deepseek="a"), "memory": {}})

    assert found.notes(Fate.TODO, "roles.reasoning")


@pytest.mark.parametrize("model", ["claude-code/opus", "claude-code", "bedrock/claude"])
def test_what_no_provider_has_needs_another_model(model: str) -> None:
    data = {"providers": keys(openrouter="a"), "agents": {"defaults": {"model": model}}, "memory": {}}
    found = converted(data)

    assert "reasoning" not in found.toml.get("roles", {})
    assert found.notes(Fate.TODO, "agents.defaults.model")


def test_an_address_that_was_ignored_stays_ignored() -> None:
    data = {"providers": {"anthropic": {"apiKey": "k", "apiBase": "https://relay.example.org"}}, "memory": {}}
    found = converted(data)

    assert found.toml["providers"] == {"anthropic": {"api_key": "k"}}
    assert found.notes(Fate.IDLE, "providers.anthropic.apiBase")


def test_null_and_wrong_types_are_said_with_their_line_and_left_out() -> None:
    data = example("rust")
    data["agents"]["defaults"]["maxTokens"] = "8192"
    data["tools"]["exec"]["timeout"] = None
    data["memory"] = ["x"]
    data["channels"]["telegram"]["allowFrom"] = [{"id": 1}, 42]
    found = converted(data)

    wrong = {note.old: note for note in found.notes(Fate.WRONG)}
    assert "expected a number" in wrong["agents.defaults.maxTokens"].text
    assert "found null" in wrong["tools.exec.timeout"].text
    assert "memory" in wrong
    assert "channels.telegram.allowFrom.0" in wrong
    assert all(note.line > 1 for note in wrong.values())
    assert found.toml["people"]["owner"]["telegram"] == 42
    assert "max_tokens" not in found.toml["agent"]


def test_what_the_new_configuration_would_refuse_is_left_out() -> None:
    data = example("rust")
    data["agents"]["defaults"]["temperature"] = 9.5
    data["providers"]["vllm"]["apiBase"] = "192.168.1.20:8000"
    data["channels"]["telegram"]["token"] = "no token"
    found = converted(data)

    assert "temperature" not in found.toml["agent"]
    assert "api_base" not in found.toml["providers"]["vllm"]
    assert "telegram" not in found.toml.get("channels", {})
    assert len(found.notes(Fate.WRONG)) >= 3


def test_memory_that_was_off_makes_no_facts() -> None:
    data = example("rust")
    data["memory"]["enabled"] = False

    assert converted(data).toml["jobs"]["reflect"] == {"off": True}


def test_the_mailbox_is_kept_and_its_open_door_is_not() -> None:
    found = converted(example("rust"))

    assert found.toml["channels"]["email"] == {
        "imap_host": "imap.example.org",
        "smtp_host": "smtp.example.org",
        "username": "bot@example.org",
        "password": "EXAMPLE",
        "address": "bot@example.org",
        "poll": 60.0,
    }
    assert found.notes(Fate.UNSAFE, "channels.email.allowFrom")
    assert "email" not in found.toml["people"]["owner"]


def test_a_server_that_begins_with_tls_is_spoken_to_so() -> None:
    data = example("rust")
    data["channels"]["email"] |= {"smtpPort": 465, "pollIntervalSecs": 1}
    mailbox = converted(data).toml["channels"]["email"]

    assert (mailbox["smtp_port"], mailbox["smtp_security"], mailbox["poll"]) == (465, "tls", 5.0)

"""What the configuration accepts, and what it says about the rest."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from pydantic import ValidationError

from channels.adapters.telegram import SPEC
from channels.adapters.telegram.settings import PERSON, TelegramSettings

TOKEN = "123456789:AAE-secret_part"


def settings(**given: Any) -> TelegramSettings:
    return TelegramSettings.model_validate({"token": TOKEN, **given})


def test_a_token_is_enough() -> None:
    found = settings()

    assert found.base_url == "https://api.telegram.org/bot"
    assert found.files_url == "https://api.telegram.org/file/bot"
    assert (found.groups, found.streaming) == (True, True)


@pytest.mark.parametrize(
    ("given", "base", "files"),
    [
        ("http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/file/bot"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/file/bot"),
        ("http://127.0.0.1:8081/", "http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/file/bot"),
        (
            "https://api.telegram.org/bot{token}/test",
            "https://api.telegram.org/bot{token}/test",
            "https://api.telegram.org/file/bot{token}/test",
        ),
    ],
)
def test_a_server_of_ones_own(given: str, base: str, files: str) -> None:
    assert settings(base_url=given).base_url == base
    assert settings(base_url=given).files_url == files


def test_the_address_of_files_can_be_another() -> None:
    assert settings(base_file_url="http://files/bot").files_url == "http://files/bot"


@pytest.mark.parametrize("token", ["", "QXZ", "123:", ":QXZ", "123:QX Z", "bot123:QXZ", "env:TOKEN"])
def test_what_is_no_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValidationError, match="@BotFather") as caught:
        settings(token=token)

    assert not token or token not in str(caught.value)


def test_a_token_is_cleaned_of_white_space_and_never_shown() -> None:
    found = settings(token=f" {TOKEN}\n")

    assert found.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(found)


@pytest.mark.parametrize("url", ["api.telegram.org", "ftp://x/bot", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match=r"http://127\.0\.0\.1:8081/bot"):
        settings(base_url=url)


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="tokens"):
        settings(tokens="x")


@pytest.mark.parametrize(("given", "known"), [(123, "123"), ("123", "123"), (" 0123 ", "123")])
def test_a_person_is_known_by_a_number(given: Any, known: str) -> None:
    assert PERSON.normalise(given) == known


@pytest.mark.parametrize("given", [True, 0, -100123, "@joe", "joe", "", 1.5, None, "١٢٣"])
def test_anything_else_says_how_to_learn_the_number(given: Any) -> None:
    with pytest.raises(ValueError, match="@userinfobot"):
        PERSON.normalise(given)


def test_the_spec_is_complete() -> None:
    assert (SPEC.kind, SPEC.settings, SPEC.person) == ("telegram", TelegramSettings, PERSON)


def test_groups_may_be_named() -> None:
    assert [settings(groups=given).groups for given in (True, False, "mention", "all")] == [
        True,
        False,
        "mention",
        "all",
    ]
    with pytest.raises(ValidationError):
        settings(groups="some")


def test_a_webhook_has_an_address_outside_and_one_inside() -> None:
    found = settings(webhook_url="https://bot.example.org:8443/tele/gram", webhook_listen="[::1]:9000")

    assert (found.webhook_path, found.listen) == ("/tele/gram", ("::1", 9000))
    assert settings(webhook_url="https://bot.example.org").webhook_path == "/"
    assert settings().listen == ("127.0.0.1", 8443)
    assert settings(base_url="http://127.0.0.1:8081", webhook_url="http://127.0.0.1:9/x").webhook_path == "/x"


@pytest.mark.parametrize(
    "given",
    [
        {"webhook_url": "http://bot.example.org/x"},
        {"webhook_url": "bot.example.org"},
        {"webhook_listen": "8443"},
        {"webhook_listen": "127.0.0.1:70000"},
        {"webhook_listen": "a b:1"},
        {"proxy": "proxy.example.org"},
        {"proxy": "ftp://proxy.example.org"},
    ],
)
def test_other_addresses_are_refused_with_an_example(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="expected"):
        settings(**given)


def test_a_proxy_is_not_shown() -> None:
    assert "secret" not in repr(settings(proxy="http://me:secret@proxy:3128"))
    assert settings(proxy="").proxy is None


def test_a_socks_proxy_asks_for_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ValidationError, match=r"nanobot-daemon\[socks\]"):
        settings(proxy="socks5://127.0.0.1:1080")

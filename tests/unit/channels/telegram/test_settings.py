"""What the configuration accepts, and what it says about the rest."""

from __future__ import annotations

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

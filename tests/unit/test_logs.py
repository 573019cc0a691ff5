"""Log lines: no secret's value in them, and their priority where the journal reads."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from bot.config import Config
from bot.ops import logs
from bot.safety.redaction import Redactor
from bot.secrets import secrets

SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def handlers_put_back() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def logged(*, journal: bool = False, verbose: bool = False) -> io.StringIO:
    stream = io.StringIO()
    redact = Redactor([SECRET, f"{SECRET}-longer", "abc"])
    logs.configure(redact, verbose=verbose, journal=journal, stream=stream)
    return stream


def test_secrets_are_left_out_of_messages_arguments_and_traces() -> None:
    stream = logged()
    error = ValueError(f"cannot use {SECRET}-longer")
    logging.getLogger("x").error("key %s of abc", SECRET, exc_info=error)
    text = stream.getvalue()
    assert "secret-" not in text
    assert SECRET not in text
    assert "key [secret] of abc" in text
    assert "ValueError: cannot use [secret]\n" in text


def test_each_line_for_the_journal_has_its_priority() -> None:
    stream = logged(journal=True)
    logging.getLogger("x").warning("one\ntwo")
    assert stream.getvalue() == "<4>x: one\n<4>two\n"


def test_libraries_that_log_each_request_are_quiet() -> None:
    stream = logged(verbose=True)
    logging.getLogger("httpx").info("GET https://api.telegram.org/bot123:TOKEN/getMe")
    logging.getLogger("bot.x").debug("detail")
    assert "TOKEN" not in stream.getvalue()
    assert "detail" in stream.getvalue()


def test_what_to_leave_out_is_known_from_the_configuration_and_the_environment() -> None:
    config = Config.model_validate(
        {"providers": {"p": {"api_base": "http://x/v1", "api_key": "from-the-file"}}}
    )
    assert set(secrets(config, {"OPENAI_API_KEY": "from-outside", "HOME": "/home/ann"})) == {
        "from-the-file",
        "from-outside",
    }

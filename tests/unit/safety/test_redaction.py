"""Secrets by value: gone from a text in every shape that they are likely to take."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.safety.redaction import MARK, Redactor

SECRET = "sk-or-v1/aB3+9=x"  # not a real one


@pytest.mark.parametrize(
    "text",
    [
        f"key={SECRET};",
        f"https://a.org/?k={quote(SECRET, safe='')}",
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"ab{SECRET}cd".encode()).decode(),
        SECRET.encode().hex(),
        SECRET[::-1],
    ],
)
def test_a_secret_is_left_out_in_every_shape(text: str) -> None:
    said = Redactor([SECRET])(f"before {text} after")
    assert MARK in said
    assert SECRET not in said
    assert said.startswith("before ")


@given(st.text(min_size=6, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_text_keeps_it(secret: str, before: str, after: str) -> None:
    said = Redactor([secret])(before + secret + after)
    assert secret not in said.replace(MARK, "\0") or secret in MARK


def test_of_two_the_longer_is_replaced_whole() -> None:
    assert Redactor(["abcdefgh", "abcdef"])("abcdefgh abcdef") == f"{MARK} {MARK}"


def test_short_values_and_none_are_left_alone() -> None:
    assert Redactor(["abc"])("abc") == "abc"
    assert Redactor([])("abc") == "abc"

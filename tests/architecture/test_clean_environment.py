"""No test sees the keys, settings or sockets of the machine it runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

_SETTINGS = {"OPENAI_API_KEY": "x", "NANOBOT_DATA": "/x", "STATE_DIRECTORY": "/x", "https_proxy": "http://x"}


@pytest.fixture(scope="module", autouse=True)
def machine_with_settings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _SETTINGS.items():
            patch.setenv(name, value)
        yield


def test_nothing_of_the_machine_is_left() -> None:
    assert _SETTINGS.keys() & os.environ.keys() == set()
    assert list(Path.home().iterdir()) == [Path(os.environ["XDG_RUNTIME_DIR"])]


@hypothesis.given(st.integers())
def test_properties_get_it_too(number: int) -> None:
    assert _SETTINGS.keys() & os.environ.keys() == set()

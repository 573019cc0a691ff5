"""A stand-in for Telegram and python-telegram-bot's real client against it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from tests.fakes.telegram import TelegramFake

CHAT = 42


def client_of(tg: TelegramFake, token: str | None = None, *, read_timeout: float = 5.0) -> Bot:
    """A bot that talks to the stand-in; a real timeout is short, since nothing here is far away."""
    return Bot(
        token or tg.token,
        base_url=tg.base_url,
        base_file_url=tg.base_file_url,
        request=HTTPXRequest(read_timeout=read_timeout),
        get_updates_request=HTTPXRequest(read_timeout=read_timeout),
    )


@pytest.fixture(autouse=True)
def _new_style_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the library warns whenever it makes a RetryAfter."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
async def tg() -> AsyncIterator[TelegramFake]:
    async with TelegramFake() as fake:
        fake.add_chat(CHAT)
        yield fake


@pytest.fixture
async def bot(tg: TelegramFake) -> AsyncIterator[Bot]:
    async with client_of(tg) as client:
        yield client

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.telegram import TelegramFake


@pytest.fixture
async def tg() -> AsyncIterator[TelegramFake]:
    async with TelegramFake() as fake:
        yield fake

"""What is needed, said where it is missing; and the servers, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import dovecot
from tests.real_mail.house import House, house


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt install dovecot-imapd dovecot-lmtpd)")
    async with house(tmp_path) as made:
        yield made

"""A mailroom for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.imap import ImapFake
from tests.fakes.submission import Submission
from tests.unit.channels.email.mailroom import Mailroom


@pytest.fixture
async def room() -> AsyncIterator[Mailroom]:
    async with ImapFake() as imap, Submission() as smtp:
        yield Mailroom(imap, smtp)

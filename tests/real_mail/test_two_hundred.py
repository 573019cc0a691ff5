"""Two hundred mails while the daemon is killed three times: each is answered once, in its thread."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from contextlib import suppress
from typing import Any

import pytest

from tests.crash.test_crash import started
from tests.fakes.llm import Reply
from tests.fakes.llm.replies import last_text
from tests.real_mail.house import House, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

MAILS = 200
KILLED_AT = (40, 100, 160)
"""After so many answers."""


def model(body: dict[str, Any]) -> Reply:
    """Says which question it was asked."""
    number = re.findall(r"the number (\d+)", last_text(body)[1])
    return Reply(f"You asked number {' '.join(number)}.")


async def test_each_of_two_hundred_mails_is_answered_once_over_three_kills(home: House) -> None:
    home.llm.default = model
    config = home.folder / "config.toml"
    config.write_text(home.config())
    config.chmod(0o600)
    async with asyncio.TaskGroup() as group:
        delivering = None
        for answers in KILLED_AT:
            async with started(config, home.data) as daemon:
                if delivering is None:
                    await until(lambda: home.query("SELECT 1 FROM channel_state WHERE key = 'cursor'"))
                    delivering = group.create_task(deliver(home))
                await until(lambda: len(home.smtp.taken) >= answers, 90)  # noqa: B023 -- called at once
                daemon.kill()
                await daemon.wait()
        async with started(config, home.data):
            await until(lambda: settled(home), 90)
    check(home)


async def deliver(home: House) -> None:
    for number in range(MAILS):
        await home.deliver(f"This is the number {number}.", number)


def settled(home: House) -> bool:
    with suppress(IndexError):
        done = home.query("SELECT count(*) AS n FROM inbox WHERE state = 'done'")[0]["n"]
        left = home.query("SELECT count(*) AS n FROM outbox WHERE state != 'sent'")[0]["n"]
        return bool(done == MAILS and not left)
    return False


def check(home: House) -> None:
    ids: dict[str, set[str]] = defaultdict(set)
    for taken in home.smtp.taken:
        message = taken.message
        asked = message["In-Reply-To"]
        ids[asked].add(message["Message-ID"])
        assert message["References"] == asked
        number = asked.removeprefix("<m").partition("@")[0]
        assert message["Subject"] == f"Re: Question {number}"
        assert f"You asked number {number}." in taken.text
    assert ids.keys() == {f"<m{number}@example.org>" for number in range(MAILS)}
    assert [asked for asked, found in ids.items() if len(found) > 1] == []
    repeated = len(home.smtp.taken) - MAILS
    print(f"{MAILS} mails, {len(KILLED_AT)} kills: {repeated} answers sent a second time, with the same id")
    marked = sum("maybe sent twice" in taken.text for taken in home.smtp.taken)
    assert repeated <= marked
    turns = home.query("SELECT outcome, count(*) AS n FROM turn GROUP BY outcome")
    assert turns == [{"outcome": "Answered", "n": MAILS}]

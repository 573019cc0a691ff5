"""No task is lost: what fails is started again or reported, and nothing outlives the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import islice, pairwise

import pytest

from bot.supervisor import Supervisor, backoff

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(
    "ending", [OSError("down"), asyncio.CancelledError(), None], ids=["fails", "is cancelled inside", "ends"]
)
async def test_an_eternal_task_is_started_again_and_that_is_logged(
    ending: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    starts: list[float] = []

    async def run() -> None:
        starts.append(asyncio.get_running_loop().time())
        if ending is not None:
            raise ending

    async with Supervisor() as supervisor:
        supervisor.keep("channel x", run)
        await asyncio.sleep(20)
    assert 3 <= len(starts) <= 6
    waits = [after - before for before, after in pairwise(starts)]
    assert all(after > before * 1.2 for before, after in pairwise(waits))
    assert "channel x" in caplog.text


async def test_a_failure_of_a_task_that_runs_once_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        raise LookupError("gone")

    async with Supervisor() as supervisor:
        supervisor.spawn("lane 1", run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert supervisor.names() == []
    assert "lane 1 failed" in caplog.text
    assert "LookupError: gone" in caplog.text


async def test_leaving_ends_every_task_even_one_started_meanwhile() -> None:
    ended: list[str] = []

    async def last() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("last")

    async def first(supervisor: Supervisor) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            supervisor.spawn("last", last())
            await asyncio.sleep(0)
            ended.append("first")

    async with Supervisor() as supervisor:
        supervisor.spawn("first", first(supervisor))
        await asyncio.sleep(1)
    assert ended == ["first", "last"]
    assert supervisor.names() == []


def test_waits_double_up_to_a_limit_and_are_spread() -> None:
    waits = list(islice(backoff(1.0, 8.0), 6))
    for wait, nominal in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert nominal * 0.8 <= wait <= nominal * 1.2


async def test_a_cancellation_that_a_library_keeps_to_itself_is_heeded() -> None:
    runs = 0

    async def swallowing() -> None:
        nonlocal runs
        runs += 1
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise OSError("as if nothing had been")

    async with asyncio.timeout(1.0), Supervisor() as supervisor:
        supervisor.keep("it", swallowing)
        await asyncio.sleep(0)
    assert runs == 1

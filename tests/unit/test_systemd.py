"""What systemd hears, over a real socket, and when it hears nothing any more."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.gateway.bus import Bus
from bot.gateway.outbox import Outbox
from bot.ops.liveness import BEAT_SECONDS, Liveness, Stalls
from bot.ops.systemd import Notifier, keep_told
from bot.storage.database import Database
from bot.supervisor import Supervisor
from channels.testing import LoopbackChannel
from channels.types import ChannelStatus


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.settimeout(5.0)
        if request.param == "path":
            address = str(tmp_path / "notify")
            there.bind(address)
        else:
            address = f"@nanobot-test-{time.monotonic_ns()}"
            there.bind(f"\0{address[1:]}")
        yield there, address


def heard(there: socket.socket) -> str:
    return there.recv(4096).decode()


def test_each_state_is_told(systemd: tuple[socket.socket, str]) -> None:
    there, address = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000000"})
    notifier.ready()
    notifier.status("model one/fake-1;\nall is well")
    notifier.reloading()
    notifier.stopping()
    assert heard(there) == "READY=1"
    assert heard(there) == "STATUS=model one/fake-1; all is well"
    said = heard(there)
    assert said.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert abs(int(said.rpartition("=")[2]) / 1e6 - time.clock_gettime(time.CLOCK_MONOTONIC)) < 60
    assert heard(there) == "STOPPING=1"
    assert notifier.watchdog == 60.0


def test_without_systemd_nothing_is_told() -> None:
    notifier = Notifier({})
    notifier.ready()
    assert not notifier
    assert notifier.watchdog is None


def test_a_systemd_that_is_gone_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nowhere")}).ready()
    assert "systemd could not be told READY" in caplog.text


async def test_the_watchdog_is_fed_until_something_hangs(systemd: tuple[socket.socket, str]) -> None:
    there, address = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000"})
    state = ""

    async def hanging() -> str:
        return state

    async def line() -> str:
        return "well"

    task = asyncio.create_task(keep_told(notifier, hanging, line))
    try:
        first = [await asyncio.to_thread(heard, there) for _ in range(3)]
        assert first == ["WATCHDOG=1", "STATUS=well", "WATCHDOG=1"]
        state = "the channel chat"
        while (said := await asyncio.to_thread(heard, there)) == "WATCHDOG=1":
            pass
        assert said == "STATUS=hanging: the channel chat"
        assert (await asyncio.to_thread(heard, there)).startswith("STATUS=hanging")
    finally:
        task.cancel()


class Turning(LoopbackChannel):
    """A channel whose loop last turned when a test says."""

    beat: float | None = None

    @property
    def status(self) -> ChannelStatus:
        return ChannelStatus(False, "no network", beat=self.beat)


@asynccontextmanager
async def house(folder: Path, channel: LoopbackChannel) -> AsyncIterator[Liveness]:
    database = await Database.open(folder / "nanobot.db")
    async with Supervisor() as supervisor:

        async def run(_lane: object) -> None:
            """Nobody writes here."""

        bus = Bus(run, supervisor, limit=1)
        outbox = Outbox(database, {"chat": channel}, supervisor, time.time)
        yield Liveness(database, bus, outbox, {"chat": channel}, lambda: 10_000.0)
    await database.aclose()


async def test_a_channel_that_backs_off_for_a_day_is_alive_as_long_as_its_loop_turns(tmp_path: Path) -> None:
    channel = Turning("chat")
    async with house(tmp_path, channel) as liveness:
        assert await liveness.hanging() == ""
        channel.beat = 10_000.0 - BEAT_SECONDS + 1
        assert await liveness.hanging() == ""
        channel.beat = 10_000.0 - BEAT_SECONDS - 1
        assert await liveness.hanging() == "the channel chat has not looked for messages for 901 s"


async def test_a_loop_that_stands_still_is_logged_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    stalls = Stalls()
    task = asyncio.create_task(stalls.watch())
    await asyncio.sleep(0.05)
    with caplog.at_level(logging.WARNING):
        _stand_still(2.0)
        await asyncio.sleep(0.5)
    task.cancel()
    assert stalls.count == 1
    assert stalls.longest >= 1.0
    assert "_stand_still" in caplog.text


def _stand_still(seconds: float) -> None:
    time.sleep(seconds)

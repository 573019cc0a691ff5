"""The child killed, silent or orphaned; WhatsApp gone, refusing, or done with this device."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from channels.adapters.whatsapp.linked.keeper import Pace, mark_linked
from channels.adapters.whatsapp.linked.spool import Spool
from channels.errors import NotSent, Unknown
from channels.testing import unreported
from channels.types import Inbound
from tests.fakes.whatsapp_linked import protos
from tests.fakes.whatsapp_linked.messages import From, text
from tests.fakes.whatsapp_linked.protos import events
from tests.fakes.whatsapp_linked.server import LinkedFake
from tests.unit.channels.whatsapp_linked.running import HER_JID, Linked, linked, out

pytestmark = protos.needed

MESSAGES, KILLS = 60, 5


class Clock:
    """Runs with the real one, `ahead` of it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Answering:
    """Answers each message once, in a lane as the outbox has them: what is unknown is marked and sent again."""

    def __init__(self, here: Linked) -> None:
        self.here = here
        self.keys: set[str] = set()
        self.queue: asyncio.Queue[Inbound] = asyncio.Queue()
        self.doubtful: set[str] = set()

    async def take(self, batch: Sequence[Inbound]) -> None:
        for message in batch:
            if message.key not in self.keys:  # what the gate does
                self.keys.add(message.key)
                self.queue.put_nowait(message)

    async def deliver(self) -> None:
        number = 0
        while True:
            message = await self.queue.get()
            number += 1
            await self._until_sent(number, f"answer to {message.text}")

    async def _until_sent(self, number: int, answer: str) -> None:
        mark = ""
        while True:
            try:
                await self.here.channel.send(out(number, mark + answer))
            except NotSent:
                await asyncio.sleep(0.05)
            except Unknown:
                mark = "🔁 (maybe sent twice)\n"
                self.doubtful.add(answer)
            else:
                return


async def test_nothing_is_lost_or_doubled_while_the_child_is_killed_five_times(tmp_path: Path) -> None:
    clock = Clock()
    async with linked(tmp_path, pace=Pace(clock=clock)) as here:
        bot = Answering(here)
        here.wa.delay = 0.002
        async with asyncio.TaskGroup() as group:
            running = group.create_task(here.channel.run(bot.take, unreported))
            answering = group.create_task(bot.deliver())
            killed = await _kill_while_flowing(here, clock)
            await here.wa.until(lambda: len(_answers(here)) == MESSAGES, 40.0)
            running.cancel()
            answering.cancel()

    assert killed == KILLS
    assert set(_answers(here)) == {f"answer to message {number}" for number in range(MESSAGES)}
    with closing(Spool(tmp_path / "spool.db")) as spool:
        assert spool.waiting() == []
    for answer, times in _answers(here).items():
        assert times == 1 or answer in bot.doubtful
    repeated = [one.text for one in here.wa.shown if one.text.startswith("🔁")]
    assert len(here.wa.shown) - MESSAGES <= len(repeated) <= KILLS


async def _kill_while_flowing(here: Linked, clock: Clock) -> int:
    killed = 0
    for number in range(MESSAGES):
        here.wa.say(text(f"message {number}", From(id=f"M{number}")))
        if number % (MESSAGES // KILLS) == 5:
            await here.wa.until(partial(_has_shown, here, 3 * killed + 1), 20.0)
            assert here.pid is not None
            os.kill(here.pid, signal.SIGKILL)
            await here.wa.until(lambda: here.pid is None)
            clock.ahead += 1000.0  # what it waits before the next start
            killed += 1
        await asyncio.sleep(0.01)
    return killed


def _has_shown(here: Linked, least: int) -> bool:
    return here.pid is not None and len(here.wa.shown) >= least


def _answers(here: Linked) -> Counter[str]:
    return Counter(one.text.rpartition("\n")[2] for one in here.wa.shown)


async def test_what_came_while_the_daemon_could_not_store_it_outlives_the_child(tmp_path: Path) -> None:
    async with linked(tmp_path) as here:
        here.refusals += [OSError("disk full")] * 100
        async with here.running():
            here.wa.say(text("hello", From(id="M1")))
            await here.wa.until(lambda: len(here.refusals) < 100 and not here.wa.unconfirmed)
        assert here.pid is not None
        os.kill(here.pid, signal.SIGKILL)
        await here.wa.until(lambda: here.pid is None)
        here.refusals.clear()
        here.channel._arrived.clear()

        async with here.running():
            await here.wa.until(lambda: here.wa.read)

    assert here.texts == ["hello"]


async def test_a_result_that_was_lost_with_the_child_is_unknown(tmp_path: Path) -> None:
    async with linked(tmp_path) as here:
        await here.channel.send(out(1, "first"))
        here.wa.mute = True
        sending = asyncio.create_task(here.channel.send(out(2, "second")))
        await here.wa.until(lambda: len(here.wa.shown) == 2)
        assert here.pid is not None
        os.kill(here.pid, signal.SIGKILL)

        with pytest.raises(Unknown):
            await sending


async def test_a_child_that_falls_silent_is_replaced(tmp_path: Path) -> None:
    async with linked(tmp_path, pace=Pace(silence=6.0)) as here, here.running():
        await here.up()
        first = here.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        await here.wa.until(lambda: here.pid not in (None, first), 15.0)
        await here.up()
        here.wa.say(text("hello"))
        await here.wa.until(lambda: here.taken)

    assert not alive(first)


async def test_no_child_is_left_when_the_daemon_is_killed(tmp_path: Path) -> None:
    async with LinkedFake() as wa:
        wa.link(tmp_path)
        command = (
            sys.executable,
            "-m",
            "tests.unit.channels.whatsapp_linked.lone",
            str(tmp_path),
            *wa.command,
        )
        daemon = await asyncio.create_subprocess_exec(*command)
        await wa.until(lambda: wa.connections)
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
        (child,) = map(int, children.read_text().split())
        assert alive(child)

        daemon.kill()
        await daemon.wait()
        await wa.until(lambda: not alive(child), 5.0)


async def test_closing_ends_the_child(tmp_path: Path) -> None:
    async with linked(tmp_path) as here:
        async with here.running():
            await here.up()
            child = here.pid
        assert child is not None
        assert alive(child)
        await here.channel.aclose()
        assert not alive(child)
        with pytest.raises(NotSent):
            await here.channel.send(out(1, "too late"))


async def test_a_lost_connection_is_made_again_by_the_same_child(tmp_path: Path) -> None:
    async with linked(tmp_path) as here, here.running():
        await here.up()
        child = here.pid
        here.wa.say(events().Disconnected(status=True))
        await here.wa.until(lambda: not here.channel.status.up)
        assert "connecting again" in here.channel.status.detail
        with pytest.raises(NotSent):
            await here.channel.send(out(1, "now?"))
        here.wa.disconnect()
        await here.up()
        here.wa.say(text("hello"))
        await here.wa.until(lambda: here.taken)

    assert here.pid == child or here.pid is None


async def test_logged_out_stops_tells_the_owner_once_and_never_tries_again(tmp_path: Path) -> None:
    clock = Clock()
    async with linked(tmp_path, pace=Pace(look=0.02, clock=clock)) as here, here.running():
        await here.up()
        here.wa.log_out()
        await here.wa.until(lambda: here.told)
        connections = here.wa.connections
        for _ in range(10):
            clock.ahead += 100_000.0
            await asyncio.sleep(0.02)

        assert here.pid is None
        assert here.wa.connections == connections
        assert not here.channel.status.up
    assert len(here.told) == 1
    assert "Linked devices" in here.told[0]
    assert "nanobot login whatsapp" in here.told[0]
    assert (tmp_path / "spool.db").exists()


async def test_linking_anew_ends_the_stop(tmp_path: Path) -> None:
    async with linked(tmp_path, phone=False, pace=Pace(look=0.02)) as here, here.running():
        await here.wa.until(lambda: here.told)
        here.wa.link(tmp_path)
        mark_linked(tmp_path)
        await here.up()


async def test_a_replaced_connection_stops_with_the_fix(tmp_path: Path) -> None:
    async with linked(tmp_path) as here, here.running():
        await here.up()
        here.wa.say(events().StreamReplaced())
        await here.wa.until(lambda: here.told and here.pid is None)

    assert "another program" in here.told[0]


async def test_a_ban_is_waited_out(tmp_path: Path) -> None:
    clock = Clock()
    async with linked(tmp_path, pace=Pace(clock=clock)) as here, here.running():
        await here.up()
        here.wa.say(events().TemporaryBan(Code=1, Expire=3600))
        await here.wa.until(lambda: here.told and here.pid is None)
        before = here.wa.connections
        with pytest.raises(NotSent, match="banned"):
            await here.channel.send(out(1, "now?"))
        assert here.wa.connections == before

        clock.ahead = 3700.0
        await here.channel.send(out(1, "and now"))
    assert here.wa.texts(HER_JID) == ["and now"]


async def test_two_processes_never_hold_one_link(tmp_path: Path) -> None:
    async with linked(tmp_path) as first, linked(tmp_path) as second, first.running():
        await first.up()
        with pytest.raises(NotSent, match="another nanobot"):
            await second.channel.send(out(1, "hello"))


async def test_without_a_network_it_waits_and_tries_again(tmp_path: Path) -> None:
    async with LinkedFake() as gone:
        gone.link(tmp_path)
        command = gone.command
    async with linked(tmp_path) as here:
        here.channel._keeper._command = (*command, str(tmp_path))
        async with here.running():
            await here.wa.until(lambda: "can't be reached" in here.channel.status.detail)
            here.channel._keeper._command = (*here.wa.command, str(tmp_path))
            await here.up()
    assert here.told == []

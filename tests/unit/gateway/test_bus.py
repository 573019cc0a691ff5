"""In order within a session, side by side across sessions, joined when queued, entering a running turn, stoppable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from bot.gateway import bus as module
from bot.gateway.bus import Bus, Lane
from bot.storage.tables import Inbox, Turn
from bot.supervisor import Supervisor

ids = iter(range(1, 10_000))


def row(session: str, text: str, *, more_follows: bool = False, person: str = "p") -> Inbox:
    return Inbox(
        id=next(ids), channel="t", key=text, session=session, person=person, text=text,
        more_follows=more_follows, sent_at=0.0, received_at=0.0,
    )  # fmt: skip


class Turns:
    """Stands for the agent: notes what each turn took, and holds turns until they are let go."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.running = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()

    async def run(self, lane: Lane) -> None:
        if module.stands_alone(lane.queue[0]):
            self.seen.append([lane.queue.popleft().text])
            return
        taken = lane.take()
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.set()
        try:
            async with lane.limit(60):
                await self.gate.wait()
            taken += lane.take()
        finally:
            self.running -= 1
            self.seen.append([r.text for r in taken])


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    async with Supervisor() as made:
        yield made


@pytest.fixture
def turns() -> Turns:
    return Turns()


async def settled(bus: Bus) -> None:
    async with asyncio.timeout(30.0):
        while any(bus.depth()) or bus._workers:
            await asyncio.sleep(0.001)


async def test_what_is_queued_is_one_turn(supervisor: Supervisor, turns: Turns) -> None:
    bus = Bus(turns.run, supervisor, limit=4)
    bus.put([row("t:1", "a"), row("t:1", "b"), row("t:1", "c")])
    await settled(bus)
    assert turns.seen == [["a", "b", "c"]]


async def test_what_another_person_writes_is_a_turn_of_its_own(supervisor: Supervisor, turns: Turns) -> None:
    bus = Bus(turns.run, supervisor, limit=4)
    bus.put([row("t:1", "a"), row("t:1", "b"), row("t:1", "c", person="q"), row("t:1", "d")])
    await settled(bus)
    assert turns.seen == [["a", "b"], ["c"], ["d"]]


async def test_what_another_person_writes_during_a_turn_waits_for_its_end(
    supervisor: Supervisor, turns: Turns
) -> None:
    turns.gate.clear()
    bus = Bus(turns.run, supervisor, limit=4)
    bus.put([row("t:1", "a")])
    await turns.started.wait()
    bus.put([row("t:1", "b", person="q"), row("t:1", "c")])
    turns.gate.set()
    await settled(bus)
    assert turns.seen == [["a"], ["b"], ["c"]]


async def test_what_arrives_during_a_turn_enters_it(supervisor: Supervisor, turns: Turns) -> None:
    turns.gate.clear()
    bus = Bus(turns.run, supervisor, limit=4)
    bus.put([row("t:1", "a")])
    await turns.started.wait()
    bus.put([row("t:1", "b")])
    turns.gate.set()
    await settled(bus)
    assert turns.seen == [["a", "b"]]


async def test_a_new_conversation_is_a_turn_of_its_own_in_its_place(
    supervisor: Supervisor, turns: Turns
) -> None:
    bus = Bus(turns.run, supervisor, limit=4)
    bus.put([row("t:1", "a"), row("t:1", "/new"), row("t:1", "b"), row("t:1", "/NEW@bot please")])
    await settled(bus)
    assert turns.seen == [["a"], ["/new"], ["b"], ["/NEW@bot please"]]


async def test_a_stuck_chat_delays_no_other(supervisor: Supervisor, turns: Turns) -> None:
    turns.gate.clear()
    bus = Bus(turns.run, supervisor, limit=4)
    bus.put([row("t:stuck", "a")])
    await turns.started.wait()
    stuck, turns.gate = turns.gate, asyncio.Event()
    turns.gate.set()
    for n in range(20):
        bus.put([row(f"t:{n}", "x")])
    async with asyncio.timeout(30.0):
        while len(turns.seen) < 20:
            await asyncio.sleep(0.001)
    assert turns.running == 1
    stuck.set()
    await settled(bus)


async def test_no_more_turns_than_the_limit_run_at_once(supervisor: Supervisor, turns: Turns) -> None:
    bus = Bus(turns.run, supervisor, limit=3)
    bus.put([row(f"t:{n}", "x") for n in range(30)])
    await settled(bus)
    assert len(turns.seen) == 30
    assert turns.most <= 3


async def test_stop_ends_the_running_turn_and_only_that(supervisor: Supervisor) -> None:
    ended: list[str] = []

    async def run(lane: Lane) -> None:
        taken = lane.take()
        try:
            async with lane.limit(60):
                await asyncio.sleep(0 if taken[0].text == "quick" else 50)
            ended.append("answered")
        except TimeoutError:
            ended.append("stopped" if lane.stopped else "late")

    bus = Bus(run, supervisor, limit=4)
    assert not bus.stop("t:1")
    bus.put([row("t:1", "slow")])
    await asyncio.sleep(0.01)
    assert bus.busy("t:1")
    assert bus.stop("t:1")
    await settled(bus)
    bus.put([row("t:1", "quick")])
    await settled(bus)
    assert ended == ["stopped", "answered"]


async def test_the_rest_of_a_split_text_is_waited_for(supervisor: Supervisor, turns: Turns) -> None:
    bus = Bus(turns.run, supervisor, limit=4)
    bus.put([row("t:1", "first half", more_follows=True)])
    await asyncio.sleep(0.01)
    assert turns.seen == []
    bus.put([row("t:1", "second half")])
    await settled(bus)
    assert turns.seen == [["first half", "second half"]]


async def test_a_failing_turn_does_not_end_its_session(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    async def run(lane: Lane) -> None:
        taken = lane.take() or [lane.take_one()]
        seen.append(taken[0].text)
        if taken[0].text == "bad":
            raise ZeroDivisionError

    bus = Bus(run, supervisor, limit=4)
    bus.put([row("t:1", "bad")])
    await settled(bus)
    bus.put([row("t:1", "good")])
    await settled(bus)
    bus.put([row("t:1", "bad"), row("t:1", "/new"), row("t:1", "good")])
    await settled(bus)
    assert seen == ["bad", "good", "bad", "/new", "good"]
    assert "ZeroDivisionError" in caplog.text


async def test_draining_starts_nothing_and_waits_for_what_runs(supervisor: Supervisor, turns: Turns) -> None:
    turns.gate.clear()
    bus = Bus(turns.run, supervisor, limit=1)
    bus.put([row("t:1", "a"), row("t:2", "b")])
    await turns.started.wait()
    asyncio.get_running_loop().call_later(0.02, turns.gate.set)
    await bus.drain(5)
    assert turns.seen == [["a"]]
    bus.put([row("t:3", "c")])
    await asyncio.sleep(0.01)
    assert turns.seen == [["a"]]


class Disk:
    """What is stored, and what of it the bus asked for."""

    def __init__(self) -> None:
        self.rows: list[Inbox] = []
        self.asked: list[tuple[int, int]] = []

    def store(self, *new: Inbox) -> list[Inbox]:
        self.rows += new
        return list(new)

    async def fetch(self, above: int, most: int) -> list[Inbox]:
        self.asked.append((above, most))
        found = [each for each in self.rows if (each.id or 0) > above][:most]
        # What is stored while this is on its way is not in it.
        await asyncio.sleep(0.001)
        return found


async def test_of_many_messages_only_some_wait_in_memory_and_all_are_answered_in_order(
    supervisor: Supervisor, turns: Turns
) -> None:
    disk = Disk()
    bus = Bus(turns.run, supervisor, limit=4, fetch=disk.fetch, most=20)
    turns.gate.clear()
    for number in range(500):
        bus.put(disk.store(row(f"t:{number % 30}", f"{number}")))
    assert bus.depth()[1] <= 20
    turns.gate.set()
    for number in range(500, 700):
        bus.put(disk.store(row(f"t:{number % 30}", f"{number}")))
        if number % 7 == 0:
            await asyncio.sleep(0.0005)
            assert bus.depth()[1] <= 20
    await settled(bus)
    answered = [int(text) for seen in turns.seen for text in seen]
    assert sorted(answered) == list(range(700)), "each once, none lost"
    for session in range(30):
        mine = [number for number in answered if number % 30 == session]
        assert mine == sorted(mine), "in order within its session"
    assert disk.asked


async def test_a_message_whose_files_are_fetched_waits_and_holds_what_follows(
    supervisor: Supervisor, turns: Turns
) -> None:
    bus = Bus(turns.run, supervisor, limit=4)
    with_file, later, other = row("t:1", "photo"), row("t:1", "later"), row("t:2", "other")
    with_file.pending = True
    bus.put([with_file, later, other])
    async with asyncio.timeout(30.0):
        while turns.seen != [["other"]]:
            await asyncio.sleep(0.001)
    bus.ready(Inbox(**{**with_file.model_dump(), "files": [{"kind": "image"}], "pending": False}))
    await settled(bus)
    assert turns.seen == [["other"], ["photo", "later"]]
    assert with_file.files == [{"kind": "image"}]


async def test_stop_ends_what_waits_for_its_files(supervisor: Supervisor, turns: Turns) -> None:
    bus = Bus(turns.run, supervisor, limit=4)
    with_file = row("t:1", "photo")
    with_file.pending = True
    bus.put([with_file])
    await asyncio.sleep(0.005)
    assert bus.stop("t:1")
    await settled(bus)
    assert turns.seen == [["photo"]]


async def test_stop_ends_a_turn_that_is_about_to_go_on(supervisor: Supervisor) -> None:
    ended: list[tuple[str, bool]] = []
    free = asyncio.Event()

    async def run(lane: Lane) -> None:
        taken = lane.unfinished.popleft().rows if lane.unfinished else lane.take()
        with suppress(TimeoutError):
            async with lane.limit(60):
                await free.wait()
        ended.append((taken[0].text, lane.stopped))

    bus = Bus(run, supervisor, limit=1)
    bus.put([row("t:1", "busy")])
    await asyncio.sleep(0.005)
    bus.go_on(Turn(session="t:2", path=[], started_at=0.0), [row("t:2", "cut off by a restart")])
    assert bus.stop("t:2")
    bus.put([row("t:2", "later")])
    free.set()
    await settled(bus)
    assert ended == [("busy", False), ("cut off by a restart", True), ("later", False)]


@pytest.mark.looptime
async def test_an_album_waits_for_the_files_of_all_its_parts(supervisor: Supervisor, turns: Turns) -> None:
    bus = Bus(turns.run, supervisor, limit=4)
    first, second = (row("t:1", text, more_follows=True) for text in ("first picture", "second picture"))
    first.pending = second.pending = True
    bus.put([first])
    await asyncio.sleep(0.1)
    bus.put([second])
    bus.ready(first)
    await asyncio.sleep(5)
    assert turns.seen == []
    bus.ready(second)
    await settled(bus)
    assert turns.seen == [["first picture", "second picture"]]


async def test_a_changed_message_is_not_brought_from_the_disk_a_second_time(
    supervisor: Supervisor, turns: Turns
) -> None:
    disk = Disk()

    async def unanswered(above: int, most: int) -> list[Inbox]:
        answered = [text for seen in turns.seen for text in seen]
        return [one for one in await disk.fetch(above, most) if one.text not in answered]

    bus = Bus(turns.run, supervisor, limit=1, fetch=unanswered, most=4)
    turns.gate.clear()
    for number in range(5):
        bus.put(disk.store(row(f"t:{number}", f"{number}")))
    old = disk.rows.pop(3)
    old.ref = "3"
    changed = row("t:3", "changed")
    bus.replace("3", *disk.store(changed))
    turns.gate.set()
    await settled(bus)
    assert turns.seen == [["0"], ["1"], ["2"], ["changed"], ["4"]]

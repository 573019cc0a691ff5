"""Jobs run at their times, beside each other, once, and what became of them is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from bot.config.schema import JobSettings
from bot.errors import BotError
from bot.schedule.bell import Bell
from bot.schedule.jobs import KEEP_EVERY, Hall, Jobs, Plan, plans
from bot.schedule.runner import LONGEST_WAIT, Scheduler
from bot.schedule.spec import Cron, Every, JobContext, JobSpec
from bot.schedule.times import described
from bot.storage import jobs as rows
from bot.storage.database import Database
from bot.storage.tables import Job
from bot.supervisor import Supervisor
from providers.testing import Clock

Run = Callable[[JobContext], Awaitable[str]]


@dataclass
class Task:
    """A job that does what a test says; `runs` counts."""

    said: str | Exception = ""
    runs: int = 0
    gate: asyncio.Event | None = None
    cut: bool = False
    most: int = 0
    _now: int = field(default=0, repr=False)

    async def run(self, _context: JobContext) -> str:
        self.runs += 1
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cut = True
            raise
        finally:
            self._now -= 1
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def plan(self, seconds: float = 60.0, **more: Any) -> Plan:
        spec = JobSpec("does as it is told", Every(seconds), self.run, **more)
        return Plan(spec, spec.trigger)


@dataclass
class Stage:
    jobs: Jobs
    scheduler: Scheduler
    database: Database
    clock: Clock
    told: list[str]

    async def step(self, seconds: float = 0.0) -> float:
        """Let the time pass, begin what is due, and let what began end where it can."""
        self.clock.now += seconds
        wait = self.scheduler.step()
        await self.settle()
        return wait

    async def settle(self) -> None:
        for _ in range(5):
            await self.database.read(lambda _: None)
            await asyncio.sleep(0)

    async def row(self, name: str = "task") -> Job:
        found = await self.database.read(rows.rows)
        return found[name]


@asynccontextmanager
async def staged(
    path: Path, clock: Clock | None = None, start: bool = False, **planned: Plan | None
) -> AsyncIterator[Stage]:
    clock, bell = clock or Clock(), Bell()
    database = await Database.open(path / "nanobot.db")
    try:
        async with Supervisor() as supervisor:
            context: Any = lambda: None  # noqa: E731 -- these jobs look at nothing
            told: list[str] = []
            jobs = Jobs(planned, Hall(database, supervisor, context, bell, clock, told.append))
            await jobs.load()
            if start:
                jobs.start()
            stage = Stage(jobs, Scheduler([jobs], bell, clock), database, clock, told)
            await stage.settle()
            yield stage
            await jobs.aclose()
    finally:
        await database.aclose()


async def test_a_job_runs_at_its_times_and_at_no_other(tmp_path: Path) -> None:
    task = Task("did something")
    async with staged(tmp_path, task=task.plan(60)) as stage:
        assert await stage.step() == 60
        assert task.runs == 0
        assert await stage.step(59) == 1
        assert await stage.step(1) == 60
        assert task.runs == 1
        assert await stage.step(130) == 50, "late, and once; the next one is where it was"
        assert task.runs == 2
        row = await stage.row()
        assert (row.outcome, row.failed, row.last_run) == ("did something", False, stage.clock.now)


async def test_one_that_was_missed_while_nothing_ran_runs_once_at_the_start(tmp_path: Path) -> None:
    clock, task = Clock(), Task()
    async with staged(tmp_path, clock, task=task.plan(3600)) as stage:
        await stage.step()
    clock.now += 10_000
    async with staged(tmp_path, clock, task=task.plan(3600)) as stage:
        assert await stage.step() == 4400 - 3600 == 800 or LONGEST_WAIT
        assert task.runs == 1
        await stage.step(1)
        assert task.runs == 1


async def test_a_restart_does_not_shift_the_phase(tmp_path: Path) -> None:
    clock, task = Clock(), Task()
    first = clock.now
    for _ in range(5):
        async with staged(tmp_path, clock, task=task.plan(3600)) as stage:
            await stage.step()
        clock.now += 700
    async with staged(tmp_path, clock, task=task.plan(3600)) as stage:
        assert task.runs == 0
        await stage.step(100)
        assert task.runs == 1
        assert (await stage.row()).due_at == first + 3600


async def test_those_that_want_it_run_at_every_start(tmp_path: Path) -> None:
    task, other = Task(), Task()
    for runs in (1, 2):
        async with staged(
            tmp_path, start=True, task=task.plan(3600, at_start=True), other=other.plan()
        ) as stage:
            await stage.step()
            assert (task.runs, other.runs) == (runs, 0)


async def test_one_never_runs_beside_itself_nor_holds_up_another(tmp_path: Path) -> None:
    slow, quick = Task(gate=asyncio.Event()), Task()
    async with staged(tmp_path, slow=slow.plan(60), quick=quick.plan(60)) as stage:
        for _ in range(4):
            await stage.step(60)
        assert (slow.runs, slow.most, quick.runs) == (1, 1, 4)
        assert slow.gate is not None
        slow.gate.set()
        await stage.settle()
        await stage.step(60)
        assert (slow.runs, slow.most) == (2, 1)


async def test_a_failure_is_logged_once_and_tried_again_at_its_next_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="bot.schedule.jobs")
    task, other = Task(BotError("no luck")), Task()
    async with staged(tmp_path, task=task.plan(60), other=other.plan(60)) as stage:
        for _ in range(3):
            await stage.step(60)
        assert (task.runs, other.runs) == (3, 3)
        assert [r.getMessage() for r in caplog.records] == [
            "job task failed and is tried again at its next time: no luck"
        ]
        row = await stage.row()
        assert (row.outcome, row.failed) == ("no luck", True)
        task.said = ValueError("oh")
        await stage.step(60)
        assert caplog.records[-1].exc_info is not None, "a fault of ours leaves its trace"
        task.said = ""
        await stage.step(120)
        assert caplog.records[-1].getMessage() == "job task works again"
        assert len(caplog.records) == 3
        assert not (await stage.row()).failed


async def test_one_that_keeps_failing_is_left_alone_for_longer_and_its_owner_told_once(
    tmp_path: Path,
) -> None:
    task = Task(BotError("no luck"))
    async with staged(tmp_path, task=task.plan(30)) as stage:
        for _ in range(120):
            await stage.step(30)
        assert task.runs == 8, "after 15, 30, 60 ... seconds instead of 120 times in an hour"
        assert stage.told == ["The job task fails: no luck. `nanobot jobs list` says more."]
        task.said = ""
        await stage.jobs.run("task", 5)
        runs = task.runs
        await stage.step(30)
        assert task.runs == runs + 1, "once it works it is back at its own times"


async def test_of_a_job_that_runs_rarely_the_first_failure_is_told(tmp_path: Path) -> None:
    task = Task(BotError("no luck"))
    async with staged(tmp_path, task=task.plan(86_400)) as stage:
        await stage.step(86_400)
        assert len(stage.told) == 1


async def test_one_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    task = Task(gate=asyncio.Event())
    async with staged(tmp_path, task=task.plan(60, limit=0.01)) as stage:
        await stage.step(60)
        shown = await stage.jobs.run("task", 5)
        assert task.cut
        assert (shown["state"], shown["outcome"]) == ("failed", "was cut off after 0 s")


async def test_what_was_cut_off_by_the_end_is_due_at_the_next_start(tmp_path: Path) -> None:
    clock, task = Clock(), Task(gate=asyncio.Event())
    async with staged(tmp_path, clock, task=task.plan(3600)) as stage:
        await stage.step(3600)
        assert (await stage.row()).last_run == clock.now, "stored before it runs"
    assert task.cut
    task.gate = None
    async with staged(tmp_path, clock, task=task.plan(3600)) as stage:
        assert (await stage.row()).last_run is None
        await stage.step(1)
        assert task.runs == 2


async def test_runs_with_nothing_to_do_are_stored_once_an_hour(tmp_path: Path) -> None:
    task = Task()
    async with staged(tmp_path, task=task.plan(30)) as stage:
        stored = set()
        for _ in range(int(2 * KEEP_EVERY / 30)):
            await stage.step(30)
            stored.add((await stage.row()).last_run)
        assert task.runs == 240
        assert len(stored) == 2
    async with staged(tmp_path, stage.clock, task=task.plan(30)) as again:
        assert (await again.row()).last_run == stage.clock.now, "the last one is stored at the end"


async def test_nothing_happens_while_one_rests_and_nothing_is_made_up_for(tmp_path: Path) -> None:
    clock, task = Clock(), Task()
    async with staged(tmp_path, clock, task=task.plan(60, at_start=True)) as stage:
        assert (await stage.jobs.pause("task", paused=True))["state"] == "paused"
        assert await stage.step(600) == LONGEST_WAIT
    async with staged(tmp_path, clock, start=True, task=task.plan(60, at_start=True)) as stage:
        await stage.step(600)
        assert task.runs == 0
        assert (await stage.jobs.run("task", 5))["last_run"] == clock.now
        assert task.runs == 1, "by hand it runs all the same"
        shown = await stage.jobs.pause("task", paused=False)
        await stage.step()
        assert task.runs == 1
        await stage.step(shown["next"] - clock.now)
        assert task.runs == 2


async def test_a_run_by_hand_joins_the_one_under_way_and_shifts_nothing(tmp_path: Path) -> None:
    task = Task("done", gate=asyncio.Event())
    async with staged(tmp_path, task=task.plan(60)) as stage:
        await stage.step(60)
        assert (await stage.jobs.run("task", 0))["state"] == "running"
        assert task.gate is not None
        task.gate.set()
        shown = await stage.jobs.run("task", 5)
        assert (shown["outcome"], shown["state"], task.runs) == ("done", "ok", 1)
        await stage.step(30)
        assert (await stage.jobs.run("task", 5))["next"] == stage.clock.now + 30
        assert task.runs == 2


async def test_what_there_is_not_is_said(tmp_path: Path) -> None:
    async with staged(tmp_path, task=Task().plan(), rest=None) as stage:
        with pytest.raises(BotError, match=r"there is no job 'tusk'; did you mean task\?"):
            await stage.jobs.run("tusk", 1)
        with pytest.raises(BotError, match="there is no job 'zebra'; there are: task, rest"):
            await stage.jobs.run("zebra", 1)
        with pytest.raises(BotError, match=r"\[jobs.rest\] in the configuration"):
            await stage.jobs.pause("rest", paused=True)
        assert [(job["name"], job["state"]) for job in stage.jobs.report()] == [
            ("task", "new"),
            ("rest", "off"),
        ]


async def test_a_disk_that_refuses_costs_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = Task("x")
    async with staged(tmp_path, task=task.plan(60)) as stage:
        await stage.database.write(lambda s: s.connection().exec_driver_sql("PRAGMA query_only = ON"))
        await stage.step(60)
        assert (await stage.jobs.run("task", 5))["outcome"] == "x"
        assert "was not kept (task)" in caplog.text
        await stage.database.write(lambda s: s.connection().exec_driver_sql("PRAGMA query_only = OFF"))


async def test_somebody_who_rings_is_heard_at_once(tmp_path: Path) -> None:
    """A source of its own, and a bell for something new that is due earlier."""
    rung: list[float] = []

    class Source:
        at: float | None = None

        def fire(self, now: float) -> float | None:
            if self.at is not None and self.at <= now:
                rung.append(self.at)
                self.at = None
            return self.at

    source, bell, clock = Source(), Bell(), Clock()
    async with Supervisor() as supervisor:
        supervisor.keep("scheduler", Scheduler([source], bell, clock).watch)
        await asyncio.sleep(0)
        source.at = clock.now
        bell.wake()
        async with asyncio.timeout(30.0):
            while not rung:
                await asyncio.sleep(0)


def test_the_configuration_changes_a_trigger_or_leaves_a_job_out() -> None:
    known = plans(Config())
    assert {"catalogue", "probe"} <= known.keys()
    config = Config(jobs={"probe": JobSettings(every=5), "catalogue": JobSettings(off=True)})
    found = plans(config)
    assert found["catalogue"] is None
    assert found["probe"] is not None
    assert found["probe"].trigger == Every(5)
    nightly = plans(Config(jobs={"probe": JobSettings(cron="0 3 * * *")}))["probe"]
    assert nightly is not None
    assert nightly.trigger == Cron("0 3 * * *")


def test_triggers_read_well() -> None:
    shown = [
        described(trigger)
        for trigger in (Every(30), Every(0.5), Every(900), Every(21_600), Cron("0 3 * * *"))
    ]
    assert shown == ["every 30 s", "every 0.5 s", "every 15 min", "every 6 h", "at 0 3 * * *"]


async def test_one_that_is_off_and_on_again_while_it_runs_does_not_run_beside_itself(tmp_path: Path) -> None:
    task = Task(gate=asyncio.Event())
    async with staged(tmp_path, task=task.plan()) as stage:
        await stage.step(61)
        await stage.jobs.adopt({"task": None})
        await stage.jobs.adopt({"task": task.plan()})
        await stage.step(61)
        assert (task.runs, task.most) == (1, 1)
        assert task.gate is not None
        task.gate.set()
        await stage.settle()
        await stage.step(61)
        assert (task.runs, task.most) == (2, 1)

"""The scheduled jobs: the files of `bot/jobs`, when each is due, and what came of it.

The table is the truth and outlives this process; here are its rows as long as that runs. A run that had nothing to
do is no news worth a flush of the disk: of those only one an hour is stored.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot import plugins
from bot.config import Config
from bot.errors import BotError, StorageError
from bot.schedule.bell import Bell
from bot.schedule.due import due
from bot.schedule.spec import Cron, Every, JobContext, JobSpec, Trigger
from bot.schedule.times import described
from bot.storage import jobs as rows
from bot.storage.database import Database
from bot.storage.tables import Job
from bot.supervisor import Supervisor

log = logging.getLogger(__name__)

JOBS = "bot.jobs"
KEEP_EVERY = 3600.0
_FIRST_BACKOFF = 7.5
_LONGEST_BACKOFF = 3600.0
"""Seconds for which a job that keeps failing is left alone at most, whatever its trigger says."""
_TOLD_AFTER = 5
"""Failures in a row after which the owner hears of them; of a job that runs rarely, the first counts."""
_SHOWN = ("last_run", "ended_at", "outcome", "failed", "paused")


class NoSuchJob(BotError):
    """Says which there are."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One job as it is configured."""

    spec: JobSpec
    trigger: Trigger


def plans(config: Config, package: str = JOBS) -> dict[str, Plan | None]:
    """Every file of the folder with what `[jobs.<name>]` changes; None for one that is off, which is not even loaded.

    Raises PluginError.
    """
    made: dict[str, Plan | None] = {}
    for name in plugins.names(package):
        settings = config.jobs.get(name)
        if settings is not None and settings.off:
            made[name] = None
            continue
        spec = plugins.load(package, name, JobSpec)
        if spec.on_request and settings is None:
            made[name] = None
            continue
        trigger = spec.trigger
        if settings is not None and settings.every is not None:
            trigger = Every(settings.every)
        elif settings is not None and settings.cron is not None:
            trigger = Cron(settings.cron)
        made[name] = Plan(spec, trigger)
    return made


@dataclass(slots=True)
class _Entry:
    """A job with its row. `stored` is the last run that the stored row tells of."""

    plan: Plan
    row: Job
    stored: float | None
    task: asyncio.Task[None] | None = None
    failures: int = 0
    """In a row, in this run of the program."""
    not_before: float = 0.0
    """When it may be tried again after a failure (epoch seconds)."""

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()


@dataclass(frozen=True, slots=True)
class Hall:
    """What jobs run in. `context` makes what each run is given; `tell` tells the owner a line."""

    database: Database
    supervisor: Supervisor
    context: Callable[[], JobContext]
    bell: Bell
    clock: Callable[[], float]
    tell: Callable[[str], None] = log.debug


class Jobs:
    """Implements `bot.schedule.runner.Source`. Jobs run beside each other, and none beside itself."""

    def __init__(self, planned: Mapping[str, Plan | None], hall: Hall) -> None:
        self._planned = planned
        self._hall = hall
        self._entries: dict[str, _Entry] = {}
        self._ending: dict[str, _Entry] = {}
        """Those that are off by now, and may still run."""
        self._closing = False

    async def load(self) -> None:
        """Take up what the last run of the program left; what became known since counts from now on."""
        now = self._hall.clock()
        known = await self._hall.database.read(rows.rows)
        for name, plan in self._planned.items():
            if plan is not None:
                row = known.get(name) or Job(name=name, due_at=now)
                self._entries[name] = _Entry(plan, row, row.last_run)
        await self._store(*(entry for name, entry in self._entries.items() if name not in known))

    async def adopt(self, planned: Mapping[str, Plan | None]) -> None:
        """Go by other triggers from now on. One that is off now comes to the end of its run, and has no next."""
        known = await self._hall.database.read(rows.rows)
        before = self._ending | self._entries
        now = self._hall.clock()
        self._planned, self._entries, new = planned, {}, []
        for name, plan in planned.items():
            if plan is None:
                continue
            entry = before.get(name)
            if entry is None:
                row = known.get(name) or Job(name=name, due_at=now)
                entry = _Entry(plan, row, row.last_run)
                new += [] if name in known else [entry]
            entry.plan = plan
            self._entries[name] = entry
        self._ending = {
            name: one for name, one in before.items() if one.running and name not in self._entries
        }
        await self._store(*new)
        self._hall.bell.wake()

    def start(self) -> None:
        """Begin those that run at every start."""
        now = self._hall.clock()
        for entry in self._entries.values():
            if entry.plan.spec.at_start and not entry.row.paused:
                self._begin(entry, due(entry.plan.trigger, entry.row.due_at, now).since)

    def fire(self, now: float) -> float | None:
        """Begin what is due; one that still runs has missed its time."""
        coming: list[float] = []
        if self._closing:
            return None
        for entry in self._entries.values():
            if entry.row.paused:
                continue
            found = due(entry.plan.trigger, entry.row.due_at, now)
            if found.now and not entry.running and not now < entry.not_before <= now + _LONGEST_BACKOFF:
                self._begin(entry, found.since)
            else:
                entry.row.due_at = found.since
            if found.next is not None:
                coming.append(found.next)
        return min(coming, default=None)

    async def run(self, name: str, patience: float) -> dict[str, Any]:
        """Run it now, whatever its trigger says, or wait for the run that is under way, for so many seconds.

        Returns the job as `report` shows it. Raises BotError for one that there is not.
        """
        entry = self._entry(name)
        task = self._begin(entry) if not entry.running else entry.task
        if task is not None:
            await asyncio.wait([task], timeout=patience)
        return self._shown(name)

    async def pause(self, name: str, *, paused: bool) -> dict[str, Any]:
        """Let it rest until it is resumed, over restarts, or resume it; what it missed meanwhile is not made up for.

        Raises BotError.
        """
        entry = self._entry(name)
        if entry.row.paused:
            entry.row.due_at = due(entry.plan.trigger, entry.row.due_at, self._hall.clock()).since
        entry.row.paused = paused
        await self._store(entry)
        self._hall.bell.wake()
        return self._shown(name)

    def report(self) -> list[dict[str, Any]]:
        """Every job, for `nanobot jobs list --json`."""
        return [self._shown(name) for name in self._planned]

    async def aclose(self) -> None:
        """Cut off what runs, which is then due at the next start, and store what is left to store."""
        self._closing = True
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None and entry.running]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._store(*self._entries.values())

    def _begin(self, entry: _Entry, since: float | None = None) -> asyncio.Task[None]:
        before = entry.row.due_at
        entry.row.due_at = before if since is None else since
        entry.task = self._hall.supervisor.spawn(f"job {entry.row.name}", self._run(entry, before))
        return entry.task

    async def _run(self, entry: _Entry, due_before: float) -> None:
        """One run with its record."""
        row, began = entry.row, entry.row.last_run
        row.last_run = self._hall.clock()
        try:
            await self._keep(entry)
            outcome, failed = await self._outcome(entry)
        except asyncio.CancelledError:
            row.last_run, row.due_at = began, due_before
            raise
        news = (outcome, failed) != (row.outcome, row.failed) or (outcome != "" and not failed)
        begun = entry.stored == row.last_run
        row.outcome, row.failed, row.ended_at = outcome, failed, self._hall.clock()
        self._back_off(entry)
        await self._keep(entry, news=news or begun)

    def _back_off(self, entry: _Entry) -> None:
        """Leave a job that keeps failing alone for ever longer, and tell the owner once that it does."""
        row = entry.row
        if not row.failed:
            entry.failures, entry.not_before = 0, 0.0
            return
        entry.failures += 1
        entry.not_before = self._hall.clock() + min(_FIRST_BACKOFF * 2**entry.failures, _LONGEST_BACKOFF)
        if entry.failures == _TOLD_AFTER or (entry.failures == 1 and _rare(entry.plan.trigger)):
            self._hall.tell(f"The job {row.name} fails: {row.outcome}. `nanobot jobs list` says more.")

    async def _outcome(self, entry: _Entry) -> tuple[str, bool]:
        """What the job said, or why it failed, and which of the two; logged where that is news."""
        row, spec = entry.row, entry.plan.spec
        limit = asyncio.timeout(spec.limit)
        try:
            async with limit:
                said = await spec.run(self._hall.context())
        except BotError as error:
            return self._failure(row, str(error), None)
        except Exception as error:  # noqa: BLE001 -- a job's fault stops neither the others nor its own next run
            if isinstance(error, TimeoutError) and limit.expired():
                return self._failure(row, f"was cut off after {spec.limit:.0f} s", None)
            return self._failure(row, f"{type(error).__name__}: {error}", error)
        if row.failed:
            log.info("job %s works again", row.name)
        if said and said != row.outcome:
            log.info("job %s: %s", row.name, said)
        return said, False

    def _failure(self, row: Job, why: str, error: Exception | None) -> tuple[str, bool]:
        if (why, True) != (row.outcome, row.failed):
            log.warning(
                "job %s failed and is tried again at its next time: %s", row.name, why, exc_info=error
            )
        return why, True

    async def _keep(self, entry: _Entry, *, news: bool = False) -> None:
        if news or entry.stored is None or not 0 <= self._hall.clock() - entry.stored < KEEP_EVERY:
            await self._store(entry)

    async def _store(self, *entries: _Entry) -> None:
        if not entries:
            return
        for entry in entries:
            entry.stored = entry.row.last_run
        copies = [Job(**entry.row.model_dump()) for entry in entries]
        try:
            await self._hall.database.write(partial(rows.keep, new=copies))
        except StorageError as error:
            # Worth a line and not the run: without its row a job is only run again.
            log.warning("what the jobs did was not kept (%s): %s", ", ".join(c.name for c in copies), error)

    def _entry(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None and name in self._planned:
            raise NoSuchJob(f"the job {name} is off: [jobs.{name}] in the configuration says so")
        if entry is None:
            near = difflib.get_close_matches(name, self._planned, n=1)
            known = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self._planned) or 'none'}"
            raise NoSuchJob(f"there is no job {name!r}; {known}")
        return entry

    def _shown(self, name: str) -> dict[str, Any]:
        """`state` is off, paused, running, failed, ok or new; `next` is None for one that is off or paused."""
        entry = self._entries.get(name)
        row = entry.row if entry is not None else Job(name=name, due_at=0.0)
        kept = {field: getattr(row, field) for field in _SHOWN}
        if entry is None:
            return {"name": name, "help": "", "trigger": "", "state": "off", "next": None, **kept}
        plan = entry.plan
        ended = "new" if row.ended_at is None else "failed" if row.failed else "ok"
        coming = None if row.paused else due(plan.trigger, row.due_at, self._hall.clock()).next
        return {
            "name": name,
            "help": plan.spec.help,
            "trigger": described(plan.trigger),
            "state": "running" if entry.running else "paused" if row.paused else ended,
            "next": coming,
            **kept,
        }


def _rare(trigger: Trigger) -> bool:
    """Whether hours lie between two runs, so that a failure is not made good soon."""
    return not isinstance(trigger, Every) or trigger.seconds >= KEEP_EVERY

"""The only wiring: what is made from what, in which order it starts, and so in which order it stops.

    lock → database → models → supervisor → channels, outbox, bus, gate, jobs → control socket → receiving

Leaving the stack backwards is the stop procedure. Before that, `stop` takes nothing new, lets running turns end and
what is written go out, each for a bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from pathlib import Path

from bot import paths, plugins
from bot.agent.agent import Agent, House
from bot.agent.profiles import Profiles
from bot.agent.workers import Household, Workers
from bot.catalogues import Catalogues
from bot.config import Config, Loaded
from bot.context.compaction import Compactor
from bot.core import CoreBuilder
from bot.desk import Desk
from bot.discovery import Discovery, Look, look_around
from bot.errors import StorageError
from bot.gateway.approvals import Approvals
from bot.gateway.bus import Bus, Lane
from bot.gateway.commands import MENU, Commands
from bot.gateway.ear import OwnersEar
from bot.gateway.gate import Gate, Inside
from bot.gateway.groups import Groups
from bot.gateway.intake import Intake, Means
from bot.gateway.linking import Linking
from bot.gateway.outbox import Outbox
from bot.gateway.people import People, outgoing, roster
from bot.gateway.post import PostOffice
from bot.gateway.treasurer import Treasurer
from bot.meter import Meter
from bot.ops import control
from bot.ops.agenda import Agenda
from bot.ops.control import Control
from bot.ops.directory import Directory
from bot.ops.liveness import Liveness, Stalls
from bot.ops.memory import Notes
from bot.ops.personal import Personal
from bot.ops.replies import Replies
from bot.ops.runs import CUT_SHORT, Runs
from bot.ops.status import Status
from bot.ops.systemd import Notifier, keep_told
from bot.ops.upkeep import Upkeep
from bot.reload import Living, Reloader
from bot.safety.redaction import Redactor
from bot.safety.sandbox import Sandbox
from bot.schedule.bell import Bell
from bot.schedule.jobs import Hall, Jobs, plans
from bot.schedule.reminders import Reminders, Ways
from bot.schedule.runner import Scheduler
from bot.schedule.spec import JobContext
from bot.secrets import secrets
from bot.skills.shelf import Skills
from bot.storage import inbox, outbox
from bot.storage.channels import ChannelStore
from bot.storage.database import Database
from bot.storage.ledger import LedgerBook
from bot.storage.lock import locked
from bot.storage.states import ProviderStates
from bot.storage.tables import Inbox, Pairing, Turn
from bot.supervisor import Supervisor
from bot.usage import Usage
from bot.voice import Voice
from channels.base import Channel, ChannelSpec, Host
from channels.terminal import TerminalChannel
from channels.types import Address, ChannelStatus
from providers.client import ModelClient

log = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
_FLUSH_SECONDS = 5.0
_LOOK_SECONDS = 0.05
CHANNELS = "channels.adapters"


OpenChannels = Callable[[Callable[[str], Host]], dict[str, Channel]]
"""Makes channels, by kind; what it is given makes the host of each."""


@dataclass(frozen=True, slots=True)
class Start:
    """What an app is started with. `announce` tells a person at the terminal why it takes longer."""

    loaded: Loaded
    data: Path
    env: Mapping[str, str]
    announce: Callable[[str], None] = log.warning
    serve_channels: bool = True
    """Whether the configured channels run; a terminal chat of its own leaves them to the daemon."""
    goes_on: bool = True
    """Whether what the last run left is gone on with; a command that only looks or decides leaves it alone."""
    look: Look = look_around
    """How models are found where none is configured."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch, for all that is written down and for what is due."""
    load: Callable[[], Loaded] | None = None
    """Reads and checks the configuration anew, for a reload; a bot for one command has none."""
    redact: Redactor = field(default_factory=Redactor)
    """The log's, which learns of new secrets in a reload."""
    open_channels: OpenChannels | None = None
    """Makes the channels; without, those that are configured."""
    silent: frozenset[str] = frozenset()
    """Those of `open_channels` on which a stranger is never answered; of configured ones, their SPEC says it."""


@dataclass(slots=True)
class App:
    """A running bot. Made by `opened`."""

    discovery: Discovery
    models: ModelClient
    people: People
    channels: Mapping[str, Channel]
    bus: Bus
    outbox: Outbox
    gate: Gate
    intake: Intake
    approvals: Approvals
    workers: Workers
    treasurer: Treasurer
    jobs: Jobs
    scheduler: Scheduler
    reminders: Reminders
    agenda: Agenda
    status: Status
    skills: Skills
    reloader: Reloader
    notes: Notes
    post: PostOffice
    ear: OwnersEar
    liveness: Liveness
    notifier: Notifier
    runs: Runs
    stalls: Stalls
    _database: Database
    _supervisor: Supervisor
    _receivers: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _cut: asyncio.Event = field(default_factory=asyncio.Event)

    async def recover(self) -> None:
        """Go on where the last run ended: replies that were written go out, questions that were taken are answered."""
        kinds = list(self.channels)
        now = self.people.clock()
        undelivered = await self._database.insist(partial(outbox.recover, channels=kinds, now=now))
        open_work = partial(inbox.recover, channels=kinds, at_once=self.bus.limit)
        work = await self._database.insist(open_work)
        if undelivered or work.rows:
            log.info("found %d messages to answer and %d to deliver", len(work.rows), len(undelivered))
        self.outbox.put(undelivered)
        turns = {turn.id: turn for turn in work.turns}
        for turn in work.turns:
            self.bus.go_on(turn, [row for row in work.rows if row.turn == turn.id])
        self.bus.put(row for row in work.rows if row.turn not in turns)
        for row in work.rows:
            if row.pending:
                self.intake.begin(row)
        # First what was cut off: what is decided starts anew, and is not to be taken for it.
        await self.workers.recover(kinds)
        await self.approvals.recover()

    def receive(self) -> None:
        """Let the channels take messages in, look for models where there are none, and run what is due."""
        self.outbox.other_way = self.post.other_way
        for kind, channel in self.channels.items():
            receive = partial(channel.run, self.gate.take, partial(self.outbox.reported, kind))
            self._receivers.append(self._supervisor.keep(f"channel {kind}", receive))
        self._receivers.append(
            self._supervisor.keep("owner's ear", partial(self.ear.pass_on, self.post, self.people))
        )
        self._receivers.append(self._supervisor.keep("stalls", self.stalls.watch))
        if self.notifier:
            if self.runs.begin():
                self.ear.of("nanobot")(CUT_SHORT)
            told = partial(keep_told, self.notifier, self.liveness.hanging, self.status.line)
            self._supervisor.keep("systemd", told)
        self._receivers.append(self._supervisor.keep("discovery", self.discovery.watch))
        self._receivers.append(self._supervisor.keep("approvals", self.approvals.watch))
        self._receivers.append(self._supervisor.keep("limits", self.treasurer.watch))
        self.jobs.start()
        self._receivers.append(self._supervisor.keep("scheduler", self.scheduler.watch))
        self._receivers.append(self._supervisor.keep("reminders", self.reminders.watch))

    async def settled(self, seconds: float) -> None:
        """Wait until every channel is up or knows why it isn't, and tell systemd that we are ready."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._all_settled():  # noqa: ASYNC110 -- a status is read, it rings no bell
                    await asyncio.sleep(_LOOK_SECONDS)
        if self.notifier:
            self.notifier.status(await self.status.line())
        self.notifier.ready()

    def unready(self) -> str:
        """Which channels are not up, in words; "" where all are, or are known to be retrying."""
        waiting = [kind for kind, channel in self.channels.items() if not settled(channel.status)]
        return f"not connected yet: {', '.join(waiting)}" if waiting else ""

    def _all_settled(self) -> bool:
        return not self.unready()

    async def run_until_stopped(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then stop gently; a second one cuts what still runs. SIGHUP reloads."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        try:
            await self._stopping.wait()
            self.notifier.stopping()
            await self.stop(DRAIN_SECONDS)
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def stop(self, drain: float) -> None:
        """Take nothing new, give running turns `drain` seconds, let what is written go out."""
        for task in self._receivers:
            task.cancel()
        gently = self._supervisor.spawn("drain", self._drained(drain))
        cut = self._supervisor.spawn("cut", self._until_cut())
        await asyncio.wait([gently, cut], return_when=asyncio.FIRST_COMPLETED)
        with suppress(StorageError):
            await self._database.write(inbox.spare)
        if self.notifier:
            self.runs.end()

    async def welcome(self, pairing: Pairing) -> None:
        """Tell somebody who was let in; only where that channel runs."""
        if pairing.channel in self.channels:
            at = Address(pairing.channel, pairing.chat, pairing.thread)
            await self.outbox.store([outgoing(at, "You are in. What can I do for you?", self.people.clock())])

    async def _drained(self, seconds: float) -> None:
        running, _ = self.bus.depth()
        if running:
            log.info("stopping; answers being finished: %d, for at most %.0f s", running, seconds)
        await self.bus.drain(seconds)
        await self.outbox.flush(_FLUSH_SECONDS)

    async def _until_cut(self) -> None:
        await self._cut.wait()

    def _hung_up(self) -> None:
        self._supervisor.spawn("reload", self._reload())

    async def _reload(self) -> None:
        self.notifier.reloading()
        try:
            await self.reloader.on_signal()
        finally:
            self.notifier.ready()

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._cut.set()
        self._stopping.set()


@asynccontextmanager
async def opened(start: Start) -> AsyncIterator[App]:
    """Start everything; leaving stops it at once (call `stop` before, to stop gently). Raises BotError."""
    config = start.loaded.config
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(locked(start.data, start.announce))
        database = await Database.open(start.data / "nanobot.db")
        stack.push_async_callback(database.aclose)
        discovery = Discovery(config, start.env, start.look)
        models = ModelClient(
            await discovery.catalog(),
            store=ProviderStates(database, start.clock),
            clock=start.clock,
            limits=config.limits,
            ledger=LedgerBook(database),
        )
        stack.push_async_callback(models.aclose)
        await models.restore()
        await Catalogues(models, database).load(start.clock())
        discovery.attach(models)
        terminal = TerminalChannel()
        ear = OwnersEar(start.clock)

        def host(kind: str) -> Host:
            store = ChannelStore(database, kind, start.clock)
            return Host(MENU, store, start.data / "channels" / kind, ear.of(kind))

        make = start.open_channels or partial(_channels, config)
        channels = {"terminal": terminal, **(make(host) if start.serve_channels else {})}
        for channel in channels.values():
            stack.push_async_callback(channel.aclose)
        voice = Voice(lambda: app.reloader.loaded.config.voice, models, start.data)
        stack.push_async_callback(voice.aclose)
        supervisor = await stack.enter_async_context(Supervisor())
        app = await _assemble(
            start, _Parts(database, discovery, models, channels, supervisor, ear, _meter(config), voice)
        )
        stack.push_async_callback(app.jobs.aclose)
        app.people.hang_up = app.bus.stop
        terminal.on_attach = partial(app.outbox.nudge, "terminal")
        served = Control(
            terminal,
            app.bus,
            app.outbox,
            app.people,
            models,
            database,
            app.status.report,
            app.welcome,
            app.jobs,
            app.agenda,
            app.skills,
            app.reloader,
            app.notes,
            Directory(database, app.people),
            Upkeep(database, app.outbox, app.bus, app.people, app.workers, app.intake.workspace, start.clock),
        )
        await _serve_metrics(app, config, stack)
        await stack.enter_async_context(control.serving(served, app.status.socket, supervisor))
        if start.goes_on:
            await app.recover()
        app.receive()
        for line in app.reloader.complaints():
            log.warning("%s", line)
        yield app


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is open when the rest is put together."""

    database: Database
    discovery: Discovery
    models: ModelClient
    channels: Mapping[str, Channel]
    supervisor: Supervisor
    ear: OwnersEar
    meter: Meter
    voice: Voice


async def _assemble(start: Start, parts: _Parts) -> App:
    config, database, models, channels = start.loaded.config, parts.database, parts.models, parts.channels
    people = People(database, roster(config), start.clock)
    await people.load()
    redact = start.redact
    redact.add(secrets(config, start.env))
    core = CoreBuilder(config, models, database).build(parts.discovery, start.clock, redact)
    await core.memory.load()
    await core.calibration.load()
    out = Outbox(database, channels, parts.supervisor, start.clock, parts.meter)
    post = PostOffice(database, out, channels, people)
    approvals = Approvals(database, people.owner, start.clock, config.agent.approval_expires, post.chats)

    async def answer(lane: Lane) -> None:
        await agent.run_turn(lane)

    profiles = Profiles(core.workspace)
    bus = Bus(
        answer,
        parts.supervisor,
        limit=config.agent.max_concurrent_turns,
        fetch=partial(_following, database, list(channels)),
    )
    workers = Workers(
        Household(
            core=lambda: agent.core,
            desk=lambda: desk,
            profiles=profiles,
            supervisor=parts.supervisor,
            bus=bus,
            role_of=people.role_of,
            approvals=approvals,
            say=out.put,
        )
    )
    bell, alarm = Bell(), Bell()
    skills = Skills(database, core.workspace, core.clock)
    desk = Desk(database, core.memory, workers, post, alarm, Sandbox(), redact, skills)
    compactor = Compactor(database, models, start.clock)
    treasurer = Treasurer(models, database, out, lambda: post.chats(people.owner.name))
    await treasurer.load()
    house = House(
        out,
        channels,
        parts.supervisor,
        approvals,
        desk,
        compactor,
        treasurer,
        people.role_of,
        people.language,
        profiles,
        parts.meter,
        parts.voice.speak,
    )
    agent = Agent(core, house)
    approvals.pieces, approvals.go_on = out.pieces, partial(_go_on, list(channels), bus, workers)

    def given() -> JobContext:
        return JobContext(agent.core, lambda text: post.tell(people.owner.name, text), out.put)

    jobs = Jobs(
        plans(config), Hall(database, parts.supervisor, given, bell, start.clock, parts.ear.of("jobs"))
    )
    await jobs.load()

    def zone(person: str) -> tzinfo | None:
        return agent.core.config.zone(person)

    ways = Ways(out.put, bus.put, people.places, channels, post.home, zone)
    reminders = Reminders(database, ways, alarm, start.clock)
    agenda = Agenda(database, people, jobs.report, zone, alarm.wake)
    status = Status(
        models=models,
        discovery=parts.discovery,
        channels=channels,
        bus=bus,
        database=database,
        loaded=lambda: reloader.loaded,
        socket=paths.socket_path(start.data, start.env),
        jobs=jobs.report,
        strangers=lambda: people.refused,
        clock=start.clock,
        started_at=start.clock(),
    )
    living = Living(agent, parts.discovery, people, approvals, jobs, reminders, profiles, redact)
    reloader = Reloader(start.loaded, start.load, start.env, living)
    linking, groups = Linking(database, people), await Groups.load(database, people)
    replies = Replies(
        database,
        lambda: agent.core.memory,
        status.summary,
        Usage(models, database),
        agenda.reply,
        Personal(people, linking),
    )
    commands = Commands(bus, models, approvals, replies.table(), start.clock)
    intake = _intake(parts, agent, bus, out)
    gate = Gate(
        database, people, Inside(commands, out, bus, intake, linking, groups, _pairing(start, channels))
    )
    return App(
        parts.discovery,
        models,
        people,
        channels,
        bus,
        out,
        gate,
        intake,
        approvals,
        workers,
        treasurer,
        jobs,
        Scheduler([jobs], bell, start.clock),
        reminders,
        agenda,
        status,
        skills,
        reloader,
        Notes(core.memory, people),
        post,
        parts.ear,
        Liveness(database, bus, out, channels),
        Notifier(start.env),
        Runs(start.data / "run", start.clock),
        Stalls(),
        database,
        parts.supervisor,
    )


async def _following(database: Database, kinds: Sequence[str], above: int, most: int) -> list[Inbox]:
    """What waits on the disk, for the bus."""
    return await database.insist(partial(inbox.following, channels=kinds, above=above, most=most))


def _intake(parts: _Parts, agent: Agent, bus: Bus, out: Outbox) -> Intake:
    return Intake(
        Means(
            database=parts.database,
            channels=parts.channels,
            supervisor=parts.supervisor,
            bus=bus,
            workspace=agent.core.workspace,
            limit=lambda: agent.core.config.workspace.max_file * 2**20,
            ears=parts.voice,
            say=out.store,
            clock=agent.core.clock,
        )
    )


def _meter(config: Config) -> Meter:
    """Who counts: nobody, where nobody asks."""
    if config.metrics.address is None:
        return Meter()
    from bot.ops.metrics import Metrics  # noqa: PLC0415 -- Prometheus' library, for who wants it

    return Metrics()


async def _serve_metrics(app: App, config: Config, stack: AsyncExitStack) -> None:
    address, meter = config.metrics.address, app.outbox.meter
    if address is None:
        return
    from bot.ops import metrics  # noqa: PLC0415 -- as above

    assert isinstance(meter, metrics.Metrics)  # noqa: S101 -- made by `_meter` of the same configuration
    gauges = metrics.Gauges(
        loop_delay=lambda: app.stalls.delay,
        stalls=lambda: app.stalls.count,
        depth=app.bus.depth,
        outbox=app.outbox.depth,
        channels=lambda: {kind: channel.status.up for kind, channel in app.channels.items()},
        spent=app.status.spent,
    )
    answers = metrics.Answers(meter, gauges, app.liveness.hanging, app.unready)
    port = await stack.enter_async_context(metrics.serving(answers, address))
    log.info("metrics on http://%s:%d/metrics", address[0], port)


def settled(status: ChannelStatus) -> bool:
    """Whether a channel is up, or knows by its first try why it is not."""
    return status.up or status.detail not in ("", "connecting")


async def _go_on(kinds: Collection[str], bus: Bus, workers: Workers, turn: Turn, rows: list[Inbox]) -> None:
    """Let a turn run that waited for a word: a person's in its session's order, a task of its own in the background;
    one of a channel that doesn't run here goes on at the next start where it does.
    """
    if turn.session.partition(":")[0] not in kinds:
        return
    if turn.task is None:
        bus.go_on(turn, rows)
    else:
        workers.go_on(turn)


def _pairing(start: Start, channels: Mapping[str, Channel]) -> frozenset[str]:
    """Those channels on which a stranger is told how to be let in."""
    kinds = frozenset(channels) - {"terminal"}
    if start.open_channels is not None:
        return kinds - start.silent
    return frozenset(kind for kind in kinds if plugins.load(CHANNELS, kind, ChannelSpec).pairing)


def _channels(config: Config, host: Callable[[str], Host]) -> dict[str, Channel]:
    """Every configured channel, by kind."""
    return {
        kind: plugins.load(CHANNELS, kind, ChannelSpec).create(settings, host(kind))
        for kind, settings in config.channels.items()
    }

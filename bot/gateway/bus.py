"""Gives stored messages to turns: in order within a session, side by side across sessions, so many at once.

A session with something to do has a lane and one task; an idle lane leaves. What is queued when a turn starts is
joined into it, what the same person writes while it runs enters at its next step, and a turn that is busy or stuck
holds up nobody but its own session. A message whose files are still being fetched waits for them, and so does what
follows it. The rows in the database are the truth: a lane holds what a restart would find again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bot.storage.tables import Inbox, Turn
from bot.supervisor import Supervisor

log = logging.getLogger(__name__)

MOST_WAITING = 2_000
_PARTS_SECONDS = 1.0
"""How long the rest of a text that its sender's program split is waited for."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A turn that a restart found under way, or that somebody's word lets go on, and the messages that it answers: none
    where a newer version took the place of all.
    """

    turn: Turn
    rows: list[Inbox]


class Lane:
    """One session's queue and the turn that runs in it."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.queue: deque[Inbox] = deque()
        self.unfinished: deque[Unfinished] = deque()
        """Turns to go on with, before what is queued."""
        self.running = False
        self.stopped = False
        self.revised = False
        """The turn is stopped because what it answers was changed by its writer."""
        self.person = ""
        """Who wrote what the running turn answers: in a group, others have turns, and rights, of their own."""
        self.answering: set[str] = set()
        """References of the messages that the running turn answers."""
        self.doomed = 0
        """How many at the head of the queue were asked before a stop and end with it."""
        self.halted = 0
        """How many of the turns to go on with end with a stop that came before they did."""
        self.closed = False
        """Nothing new enters the running turn: its answer is being committed."""
        self.arrived = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None

    def take(self) -> list[Inbox]:
        """Take what is queued and may enter a turn: up to a message that stands alone (`/new`) or is another person's;
        in a turn that is stopped, only what was asked before that.
        """
        taken: list[Inbox] = []
        while self.queue and self._enters(self.queue[0]):
            taken.append(self.take_one())
        return taken

    def _enters(self, row: Inbox) -> bool:
        if self.doomed:
            return not stands_alone(row)
        may = not self.stopped and not row.pending and not stands_alone(row)
        return may and row.person == self.person

    def lacks_files(self) -> bool:
        """Whether files of the first message are still being fetched, or of the rest that belongs to it."""
        for row in self.queue:
            if row.pending or not row.more_follows:
                return row.pending
        return False

    def take_one(self) -> Inbox:
        """Take the first of the queue, whatever it is."""
        self.doomed = max(self.doomed - 1, 0)
        row = self.queue.popleft()
        self.answering.add(row.ref)
        return row

    def limit(self, seconds: float) -> asyncio.Timeout:
        """The scope of a turn: left by TimeoutError when its time is over or `stop` was called."""
        self._deadline = asyncio.timeout(0 if self.stopped else seconds)
        return self._deadline

    def stop(self) -> bool:
        """End at once what runs and what waits; false if there is neither."""
        self.doomed, self.halted = len(self.queue), len(self.unfinished)
        self.arrived.set()
        return self._cut() or self.doomed > 0 or self.halted > 0

    def revise(self, ref: str) -> bool:
        """End the running turn since this message of it was changed; false if it has none such, or is over."""
        self.revised = bool(ref) and ref in self.answering and self._cut()
        return self.revised

    def _cut(self) -> bool:
        """End the running turn; false where none runs or its answer is being committed."""
        if not self.running or self.closed:
            return False
        self.stopped = True
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())
        return True

    def begin(self) -> None:
        """A turn starts; one whose messages were stopped while they waited ends as soon as it has taken them."""
        self.running, self.closed, self.revised, self._deadline = True, False, False, None
        self.stopped = self.doomed > 0 or self.halted > 0
        self.person = self.unfinished[0].turn.person if self.unfinished else self.queue[0].person
        self.halted = max(self.halted - 1, 0)
        self.answering = {row.ref for one in list(self.unfinished)[:1] for row in one.rows}


def stands_alone(row: Inbox) -> bool:
    """Whether a message is a turn of its own rather than something to talk about."""
    word = row.text.split(maxsplit=1)[0].lower() if row.text.strip() else ""
    return word.partition("@")[0] == "/new"


Fetch = Callable[[int, int], Awaitable[list[Inbox]]]
"""The next unanswered messages above an id, so many, in order."""


class Bus:
    """`run_turn(lane)` answers what it takes from the lane; at most `limit` of them run at once.

    So many messages wait in memory (`most`); further ones stay on the disk, from which `fetch` brings them in their
    order as soon as half of those are answered.
    """

    def __init__(
        self,
        run_turn: Callable[[Lane], Awaitable[None]],
        supervisor: Supervisor,
        *,
        limit: int,
        fetch: Fetch | None = None,
        most: int = MOST_WAITING,
    ) -> None:
        self._fetch = fetch
        self._most = most
        self._highest = 0
        """Of the ids that were queued."""
        self._fetched = range(0)
        """Ids that were brought from the disk, and are not queued a second time by whoever stored them."""
        self._spilled = False
        """Whether there is more on the disk than what waits here."""
        self._skipped = False
        self._ahead: set[int] = set()
        """Ids of messages that wait here already, in the place of an older version, before their turn to be brought."""
        self._fetching = asyncio.Lock()
        self.limit = limit
        self._run_turn = run_turn
        self._supervisor = supervisor
        self._slots = asyncio.Semaphore(limit)
        self._lanes: dict[str, Lane] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._closing = False

    def put(self, rows: Iterable[Inbox]) -> None:
        """Queue stored messages of any sessions, in order."""
        waiting = self._count()
        for row in rows:
            number = row.id or 0
            if number in self._fetched:
                continue
            full = self._spilled or waiting >= self._most
            if self._fetch is not None and full and number > self._highest:
                self._spilled = self._skipped = True
                continue
            self._queue(row)
            waiting += 1

    def _queue(self, row: Inbox) -> None:
        self._highest = max(self._highest, row.id or 0)
        lane = self._lane(row.session)
        lane.queue.append(row)
        lane.arrived.set()
        self._wake(lane)

    def _count(self) -> int:
        return sum(len(lane.queue) for lane in self._lanes.values())

    async def _refill(self) -> None:
        """Bring what waits on the disk, once there is room for it."""
        async with self._fetching:
            while self._fetch is not None and self._spilled and self._count() <= self._most // 2:
                above, room, self._skipped = self._highest, self._most - self._count(), False
                found = await self._fetch(above, room)
                # What was stored while this was read may be missing from it.
                self._spilled = len(found) == room or self._skipped
                if found:
                    self._fetched = range(above + 1, (found[-1].id or above) + 1)
                    self._highest = self._fetched[-1]
                for row in found:
                    if row.id not in self._ahead:
                        self._queue(row)
            if not self._spilled:
                self._ahead.clear()

    def go_on(self, turn: Turn, rows: list[Inbox]) -> None:
        """Go on with a turn as soon as its session is free, before anything that is queued there."""
        lane = self._lane(turn.session)
        lane.unfinished.append(Unfinished(turn, rows))
        self._wake(lane)

    def stop(self, session: str) -> bool:
        """End what runs and waits in a session; false if nothing does."""
        lane = self._lanes.get(session)
        return lane is not None and lane.stop()

    async def end(self, session: str, seconds: float) -> bool:
        """End what runs and waits in a session; false if that takes longer."""
        worker = self._workers.get(session)
        if worker is None:
            return True
        self.stop(session)
        await asyncio.wait([worker], timeout=seconds)
        return worker.done()

    def ready(self, row: Inbox) -> None:
        """The files of this message are where they will be."""
        if lane := self._lanes.get(row.session):
            for queued in lane.queue:
                # One that was brought from the disk meanwhile is another object.
                if queued.id == row.id:
                    queued.files, queued.pending = row.files, False
            lane.arrived.set()

    def unanswered(self, session: str, ref: str) -> bool:
        """Whether this message waits for a turn, or for the end of the one that answers it."""
        lane = self._lanes.get(session)
        if lane is None or not ref:
            return False
        return any(row.ref == ref for row in lane.queue) or (
            lane.running and not lane.closed and ref in lane.answering
        )

    def replace(self, ref: str, row: Inbox) -> None:
        """Answer a stored message instead of the one `ref`, of which it is the newer version."""
        if self._spilled:
            self._ahead.add(row.id or 0)
        else:
            self._highest = max(self._highest, row.id or 0)
        lane = self._lane(row.session)
        places = [number for number, one in enumerate(lane.queue) if one.ref == ref]
        if places:
            lane.queue[places[0]] = row
        else:
            lane.revise(ref)
            lane.queue.appendleft(row)
        lane.arrived.set()
        self._wake(lane)

    def busy(self, session: str) -> bool:
        lane = self._lanes.get(session)
        return lane is not None and lane.running

    def pending(self, session: str) -> bool:
        """Whether anything of a session is being answered or waits for it."""
        return session in self._lanes

    def stuck(self) -> str:
        """A session that has something to do and no task that does it; "" where there is none."""
        return next(
            (
                session
                for session, lane in self._lanes.items()
                if (lane.queue or lane.unfinished) and session not in self._workers and not self._closing
            ),
            "",
        )

    def depth(self) -> tuple[int, int]:
        """(turns running, messages waiting in memory)."""
        lanes = self._lanes.values()
        return sum(lane.running for lane in lanes), sum(len(lane.queue) for lane in lanes)

    async def drain(self, seconds: float) -> None:
        """Start no further turn and give the running ones so long to end. What stays unanswered is in the inbox."""
        self._closing = True
        running = [self._workers[s] for s, lane in self._lanes.items() if lane.running and s in self._workers]
        if running:
            await asyncio.wait(running, timeout=seconds)

    def _lane(self, session: str) -> Lane:
        return self._lanes.setdefault(session, Lane(session))

    def _wake(self, lane: Lane) -> None:
        if lane.session not in self._workers and not self._closing:
            self._workers[lane.session] = self._supervisor.spawn(f"lane {lane.session}", self._work(lane))

    async def _work(self, lane: Lane) -> None:
        try:
            while lane.queue or lane.unfinished:
                await self._wait_for_parts(lane)
                await self._wait_for_files(lane)
                async with self._slots:
                    if self._closing:
                        return
                    lane.begin()
                    before = len(lane.unfinished), len(lane.queue)
                    try:
                        await self._run_turn(lane)
                    except Exception:
                        # Its own messages stay in the inbox for the next start; what waits behind them goes on.
                        log.exception("a turn of %s could not be ended", lane.session)
                        if (len(lane.unfinished), len(lane.queue)) == before:
                            return
                    finally:
                        lane.running = False
                if self._spilled:
                    await self._refill()
        finally:
            del self._workers[lane.session]
            if not lane.queue and not lane.unfinished:
                self._lanes.pop(lane.session, None)

    async def _wait_for_files(self, lane: Lane) -> None:
        while not lane.unfinished and not lane.doomed and lane.lacks_files():
            lane.arrived.clear()
            await lane.arrived.wait()

    async def _wait_for_parts(self, lane: Lane) -> None:
        while lane.queue and lane.queue[-1].more_follows:
            lane.arrived.clear()
            try:
                async with asyncio.timeout(_PARTS_SECONDS):
                    await lane.arrived.wait()
            except TimeoutError:
                return

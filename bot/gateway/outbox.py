"""Delivers rows: in order within a session, independent across sessions, each piece repeated until its fate is known.

A row is claimed on disk before its send begins, and one commit settles it and claims the next. The row that a turn's
own transaction claims (see `claim`) needs no commit of its own before it goes out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bot.meter import Meter
from bot.storage import outbox as rows
from bot.storage.database import Database
from bot.storage.outbox import Settled
from bot.storage.tables import Outbox as Row
from bot.storage.tables import OutboxState
from bot.supervisor import Supervisor, asked_to_end, backoff
from channels.base import Channel
from channels.errors import NotSent, Refused, Unknown
from channels.types import Address, Choice, DeliveryReport, File, Media, Outbound

log = logging.getLogger(__name__)

_LONGEST_WAIT = 300.0
"""Seconds between two tries of the same row, unless the channel's server asks for more."""
_SHORTEST_WAIT = 0.5
_FAULT = "a fault in the channel; the log says more"
_MOST_FAULTS = 20
"""Tries, over about an hour, of a row that meets a fault of ours each time; then those behind it go on."""
_GIVEN_UP_AFTER = 86_400.0
"""Seconds after which a message may go to another channel of the same person."""
_TRIED_FOR = 600.0
"""Seconds of trying in this run that come before: a day may have gone by with the machine switched off."""
OtherWay = Callable[[Row], Awaitable[Address | None]]
"""Where a person who can't be reached by a row's channel may be reached instead."""
_REPEAT_MARK = "🔁 (maybe sent twice)\n"
DROPPED = "dropped by the owner"
_EARLY = 1000
"""Reports that are remembered for a receipt which is not written down yet."""


@dataclass(slots=True)
class _Lane:
    rows: deque[Row] = field(default_factory=deque)
    claimed: bool = False
    """Reserved by a transaction under way, or delivering."""
    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    waits: Iterator[float] = field(default_factory=lambda: backoff(1.0, _LONGEST_WAIT))
    faults: int = 0
    """Of ours, met by its first row."""
    dropped: set[int] = field(default_factory=set)
    """Rows that the owner gave up."""
    failing_since: float | None = None
    """Since when nothing of it could be delivered (epoch seconds)."""


class Outbox:
    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        supervisor: Supervisor,
        clock: Callable[[], float],
        meter: Meter | None = None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._supervisor = supervisor
        self._clock = clock
        self.other_way: OtherWay = _nowhere
        self.meter = meter or Meter()
        self._lanes: dict[str, _Lane] = {}
        self._early: dict[tuple[str, str], DeliveryReport] = {}
        """Reports of messages that nobody knows, by channel and reference: some come before the receipt is stored."""
        self._settled = asyncio.Event()

    @contextmanager
    def claiming(self, session: str, new: Sequence[Row]) -> Iterator[None]:
        """Deliver these rows of a session once the transaction in this context has stored them.

        The first is marked as being sent, so that no commit lies between, if nothing of its session is ahead of it.
        """
        if new and session not in self._lanes:
            self._lanes[session] = _Lane(claimed=True)
            new[0].state = OutboxState.SENDING
        try:
            yield
        except BaseException:
            self._release(session, new)
            raise
        self.put(new)

    async def store(self, new: Sequence[Row]) -> None:
        """Store rows that belong to no turn, and deliver them."""
        self.put(await self._database.write(partial(rows.add, rows=new)))

    def put(self, new: Sequence[Row]) -> None:
        """Deliver stored rows; where the first was claimed, all are of its session. Those of a channel that doesn't run
        wait for a start with it.
        """
        if new and new[0].state == OutboxState.SENDING:
            lane = self._lanes[new[0].session]
            lane.rows.extendleft(reversed(new))
            self._start(new[0].session, lane)
            return
        for row in new:
            if row.channel not in self._channels:
                continue
            lane = self._lanes.setdefault(row.session, _Lane())
            lane.rows.append(row)
            if not lane.claimed:
                lane.claimed = True
                self._start(row.session, lane)

    def pieces(self, whole: Row) -> list[Row]:
        """A message as rows of the length that its channel takes."""
        texts = self._channels[whole.channel].split(whole.text)
        if len(texts) < 2:
            return [whole]
        names = ("session", "channel", "chat", "thread", "turn", "kind", "created_at")
        place = {name: getattr(whole, name) for name in names}
        whole.text = texts[0]
        others = [Row(**place, text=text) for text in texts[1:]]
        # Buttons stand below what is read last.
        whole.choices, others[-1].choices = None, whole.choices
        return [whole, *others]

    def _release(self, session: str, unstored: Sequence[Row]) -> None:
        """Go on without rows that could not be stored."""
        if unstored and unstored[0].state == OutboxState.SENDING:
            lane = self._lanes.pop(session)
            self.put(list(lane.rows))

    def nudge(self, channel: str) -> None:
        """Try a channel's waiting rows now: it just came back."""
        for session, lane in self._lanes.items():
            if session.startswith(f"{channel}:"):
                lane.nudge.set()

    def wake(self, session: str) -> None:
        """Try a session's waiting rows now: its reader just wrote."""
        if lane := self._lanes.get(session):
            lane.nudge.set()

    async def reported(self, channel: str, report: DeliveryReport) -> None:
        """Take what a channel learned later of a message that it had accepted; durable on return."""
        told = partial(rows.reported, channel=channel, report=report, now=self._clock())
        row = await self._database.insist(told)
        if row is None:
            self._early[channel, report.ref] = report
            while len(self._early) > _EARLY:
                del self._early[next(iter(self._early))]
            return
        if report.delivered:
            return
        log.warning("outbox %s to %s did not arrive: %s", row.id, row.session, report.detail)
        if row.state == OutboxState.QUEUED:
            self.put([row])
            if lane := self._lanes.get(row.session):
                # Back to its place, which is never before what is being sent.
                lane.rows = deque(
                    sorted(lane.rows, key=lambda one: (one.state != OutboxState.SENDING, one.id))
                )

    def waiting(self, number: int) -> bool:
        """Whether this row waits for its delivery here."""
        return self._lane_of(number) is not None

    def hurry(self, number: int) -> None:
        """Try a row now that waits for its next try, also one that was dropped before."""
        if lane := self._lane_of(number):
            lane.dropped.discard(number)
            lane.nudge.set()

    def drop(self, number: int) -> None:
        """Deliver a row no more that is about to be given up on disk; a send under way is the last."""
        if lane := self._lane_of(number):
            lane.dropped.add(number)
            lane.nudge.set()

    def _lane_of(self, number: int) -> _Lane | None:
        lanes = self._lanes.values()
        return next((lane for lane in lanes if any(row.id == number for row in lane.rows)), None)

    def pending(self, session: str) -> bool:
        """Whether anything of a session is being delivered or waits for it."""
        return session in self._lanes

    def stuck(self) -> str:
        """A session that has something to deliver and no task that does it; "" where there is none."""
        running = set(self._supervisor.names())
        return next(
            (
                session
                for session, lane in self._lanes.items()
                if lane.rows and f"outbox {session}" not in running
            ),
            "",
        )

    def depth(self) -> int:
        return sum(len(lane.rows) for lane in self._lanes.values())

    async def flush(self, seconds: float) -> None:
        """Let what is under way go out, for so long; what is left then is in its rows."""
        try:
            async with asyncio.timeout(seconds):
                while any(lane.rows and not lane.rows[0].error for lane in self._lanes.values()):
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            log.warning("stopping with %d messages undelivered; the next start sends them", self.depth())

    def _start(self, session: str, lane: _Lane) -> None:
        self._supervisor.spawn(f"outbox {session}", self._deliver(session, lane))

    async def _deliver(self, session: str, lane: _Lane) -> None:
        """Send a lane's rows one after the other, then leave."""
        while (row := await self._next(lane)) is not None:
            if row.state != OutboxState.SENDING:
                await self._settle(None, row)
            lane.nudge.clear()
            settled, moved = await self._given_up(row, lane, await self._send(row, lane))
            if settled.state != OutboxState.QUEUED:
                lane.rows.remove(row)
                lane.waits, lane.faults = backoff(1.0, _LONGEST_WAIT), 0
            self.meter.delivery(row.channel, settled.state)
            upcoming = lane.rows[0] if lane.rows and lane.rows[0].not_before <= self._clock() else None
            await self._settle(settled, upcoming, moved)
            early = row.channel, settled.receipt
            if settled.state == OutboxState.RELAYED and (report := self._early.pop(early, None)):
                await self.reported(row.channel, report)
            if asked_to_end():
                raise asyncio.CancelledError
        del self._lanes[session]

    async def _next(self, lane: _Lane) -> Row | None:
        """The first row, once its time has come; None where none is left."""
        while lane.rows:
            row = lane.rows[0]
            wait = row.not_before - self._clock()
            if wait > 0 and row.id not in lane.dropped:
                await self._sleep(lane, wait)
            if row.id in lane.dropped:
                lane.rows.remove(row)
            elif lane.rows[0] is row:
                return row
        return None

    async def _given_up(self, row: Row, lane: _Lane, settled: Settled) -> tuple[Settled, list[Row]]:
        """What a send comes to; one that failed may have been the last. With it what goes out elsewhere instead."""
        if settled.state != OutboxState.QUEUED:
            lane.failing_since = None
            if len(lane.rows) > 1:
                lane.rows[1].not_before = 0.0  # it was put off with this one
        elif moved := await self._moved(row, lane):
            return replace(settled, state=OutboxState.MOVED), moved
        elif row.id in lane.dropped:
            settled = replace(settled, state=OutboxState.REFUSED, error=DROPPED)
        return settled, []

    async def _moved(self, row: Row, lane: _Lane) -> list[Row]:
        """The same message for another channel, where this one has failed for a day; else nothing."""
        now = self._clock()
        lane.failing_since = lane.failing_since or now
        tried = now - lane.failing_since >= _TRIED_FOR
        if not tried or now - row.created_at < _GIVEN_UP_AFTER:
            return []
        other = await self.other_way(row)
        if other is None:
            return []
        log.warning("outbox %s goes to %s, since %s failed for a day", row.id, other, row.session)
        told = f"📮 This could not be delivered by {row.channel} ({row.error}), so here it is:\n\n"
        anew = Row(
            session=str(other),
            channel=other.channel,
            chat=other.chat,
            thread=other.thread,
            turn=row.turn,
            kind=row.kind,
            text=told + row.text,
            file=row.file,
            choices=row.choices,
            created_at=now,
        )
        return self.pieces(anew)

    async def _send(self, row: Row, lane: _Lane) -> Settled:
        assert row.id is not None  # noqa: S101 -- stored rows only
        channel = self._channels[row.channel]
        mark = _REPEAT_MARK if row.doubtful else ""
        out = Outbound(
            row.id,
            Address(row.channel, row.chat, row.thread),
            row.text if row.edits else mark + row.text,
            row.edits,
            row.reply_to,
            row.kind,
            _file(row),
            tuple(Choice(**choice) for choice in row.choices or ()),
            mark if row.edits else "",
        )
        try:
            receipt = await channel.send(out)
        except NotSent as error:
            asked = error.retry_after
            wait = next(lane.waits) if asked is None else max(asked, _SHORTEST_WAIT)
            return self._again(row, error.detail, wait)
        except Unknown as error:
            row.doubtful += 1
            return self._again(row, error.detail, next(lane.waits))
        except Refused as error:
            log.warning("outbox %s to %s was refused: %s", row.id, row.session, error.detail)
            return Settled(row.id, OutboxState.REFUSED, error=error.detail, doubtful=row.doubtful)
        except Exception:
            # Catches everything: a channel's bug must not silence a chat.
            log.exception("the channel %s failed to send outbox %s", row.channel, row.id)
            row.doubtful += 1
            lane.faults += 1
            if lane.faults > _MOST_FAULTS:
                return Settled(row.id, OutboxState.REFUSED, error=_FAULT, doubtful=row.doubtful)
            return self._again(row, _FAULT, next(lane.waits))
        state = OutboxState.SENT if receipt.settled else OutboxState.RELAYED
        return Settled(row.id, state, receipt=receipt.ref or "-", at=self._clock(), doubtful=row.doubtful)

    def _again(self, row: Row, detail: str, wait: float) -> Settled:
        assert row.id is not None  # noqa: S101 -- stored rows only
        if not row.error:
            log.warning(
                "outbox %s to %s was not delivered and will be tried again: %s", row.id, row.session, detail
            )
        row.state, row.error, row.not_before = OutboxState.QUEUED, detail, self._clock() + wait
        return Settled(
            row.id, OutboxState.QUEUED, error=detail, not_before=row.not_before, doubtful=row.doubtful
        )

    async def _settle(self, settled: Settled | None, upcoming: Row | None, moved: Sequence[Row] = ()) -> None:
        """Commit, however long the disk refuses: what was delivered must not be forgotten."""
        claim = upcoming.id if upcoming is not None else None
        if upcoming is not None:
            upcoming.state = OutboxState.SENDING

        def undo() -> None:
            for row in moved:
                row.id = None

        await self._database.insist(partial(rows.settle, done=settled, claim=claim, moved=moved), undo)
        self.put(moved)
        self._settled.set()

    async def _sleep(self, lane: _Lane, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await lane.nudge.wait()
        except TimeoutError:
            pass


def _file(row: Row) -> File | None:
    if row.file is None:
        return None
    return File(Path(row.file["path"]), row.file["name"], row.file["mime"], Media(row.file["kind"]))


async def _nowhere(_row: Row) -> Address | None:
    """Before the app is put together."""
    return None

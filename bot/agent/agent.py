"""From a lane to a committed answer: begins or resumes a turn, runs it within its limits, and ends it durably."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bot.agent import roles
from bot.agent.calls import Bench
from bot.agent.helpers import introduced
from bot.agent.outcomes import (
    Answered,
    Failed,
    NoModelLeft,
    Outcome,
    OutOfTime,
    Revised,
    Stopped,
    Waits,
    say,
    words,
)
from bot.agent.pictures import picture
from bot.agent.preview import Preview
from bot.agent.profiles import Profiles
from bot.agent.record import INTERRUPTED, Record, Result
from bot.agent.turn import Seat, Turn
from bot.context.compaction import Compactor
from bot.context.prompt import Scene
from bot.core import Core
from bot.desk import Desk
from bot.errors import BotError
from bot.gateway import notices
from bot.gateway.approvals import Approvals
from bot.gateway.bus import Lane, stands_alone
from bot.gateway.outbox import Outbox
from bot.gateway.people import outgoing
from bot.gateway.post import OUTGOING
from bot.gateway.treasurer import Treasurer, Word
from bot.meter import Meter, TurnEnded
from bot.onboarding import STARTER_NOTE
from bot.purse import Purse
from bot.safety.rules import Role, Situation
from bot.storage.sessions import address_of
from bot.storage.tables import Outbox as OutboxRow
from bot.supervisor import Supervisor
from bot.trace import doing
from channels.base import Channel
from channels.types import Media
from providers.tokens import estimate_tokens
from providers.types import Message

log = logging.getLogger(__name__)

_SHOWN_SPEECH = 400
"""Characters of what was said in a voice message that its answer repeats."""
_ON_IT = "⏳ I am on it; this takes longer than a moment. The answer follows here by itself."
_PAUSED = "⏸ I wait for the owner's word."
_UNSEEN = "[the model's answer holds nothing that can be shown]"
_MOST_ATTEMPTS = 3
"""A message that was under way at so many restarts is not run again: it may be what ends us."""


@dataclass(frozen=True, slots=True)
class House:
    """What turns work with beside their core. `role_of` tells what a person may decide, `language_of` in which language
    they want to be answered ("": the one they write in).
    """

    outbox: Outbox
    channels: Mapping[str, Channel]
    supervisor: Supervisor
    approvals: Approvals
    desk: Desk
    compactor: Compactor
    treasurer: Treasurer
    role_of: Callable[[str], Role]
    language_of: Callable[[str], str]
    profiles: Profiles
    meter: Meter
    speak: Callable[[str, Path], Awaitable[Path]]
    """Says a text in a voice note at this path; returns where it is. Raises BotError."""


class Agent:
    """Answers what the bus hands it. `core` may be exchanged between turns."""

    def __init__(self, core: Core, house: House) -> None:
        self.core = core
        self._house = house
        self._outbox = house.outbox
        self._channels = house.channels

    async def run_turn(self, lane: Lane) -> None:
        """Answer what is queued in the lane. Whatever goes wrong, each message gets one committed answer."""
        rows = lane.unfinished[0].rows if lane.unfinished else lane.queue
        with doing(f"{lane.session} #{rows[0].id}" if rows else lane.session):
            await self._run_turn(lane)

    async def _run_turn(self, lane: Lane) -> None:
        core = self.core
        unfinished = lane.unfinished[0] if lane.unfinished else None
        turn_row = unfinished.turn if unfinished else None
        album = partial(picture, core.workspace)
        record = await Record.begin(core.database, lane.session, turn_row, core.clock, album)
        if unfinished is not None:
            lane.unfinished.popleft()
            record.enter(unfinished.rows, recorded=True)
        elif stands_alone(lane.queue[0]):
            record.enter([lane.take_one()], recorded=True)
            rows = self._rows(record, "A new conversation. What shall we talk about?", "", "")
            await self._commit(record, rows, Result("NewConversation", "", [], record.shown, forget=True))
            return
        else:
            record.enter(lane.take())
        channel = self._channels[record.session.channel]
        preview = Preview(channel, address_of(record.session), record.save_preview, record.turn.preview)
        preview.reply_to = record.ref
        bench = replace(
            self._bench(core, record), purse=await Purse.of(core.database, core.config, record.turn)
        )
        turn = Turn(bench, record, await self._seat(bench, lane, record, preview))
        preview.start(self._house.supervisor)
        patience = self._house.supervisor.spawn(
            f"patience {lane.session}", self._reassure(record, channel.patience)
        )
        try:
            outcome = await self._outcome(turn, lane, record)
        finally:
            lane.closed = True
            patience.cancel()
            await preview.close()
        if isinstance(outcome, Waits):
            await self._wait(record, outcome, preview)
            return
        _close_calls(record)
        if lane.stopped:
            record.enter(lane.take())
        await self._finish(record, turn, outcome, preview.ref)

    async def _reassure(self, record: Record, patience: float) -> None:
        """Tell a reader who sees nothing of an answer in the making, once, that it is."""
        if not patience:
            return
        await asyncio.sleep(patience)
        told = outgoing(address_of(record.session), _ON_IT, self.core.clock(), "notice")
        told.reply_to = record.ref
        await self._outbox.store([told])

    def _bench(self, core: Core, record: Record) -> Bench:
        house, session = self._house, record.session
        situation = Situation(role=house.role_of(record.turn.person), private=session.private)
        tools = roles.main_tools(core.toolbox, core.models, session.model)
        return Bench(core, house.desk, tools, situation, ask=house.approvals.ask)

    async def _seat(self, bench: Bench, lane: Lane, record: Record, preview: Preview) -> Seat:
        core = bench.core
        helpers = await introduced(bench.toolbox, self._house.profiles, bench.desk.skills)
        seat = Seat(
            record.session.model or roles.MAIN,
            roles.MAIN,
            lambda: core.prompts.system(
                replace(_scene(core, record, helpers), language=self._house.language_of(record.turn.person))
            ),
            preview,
            core.settings.max_steps,
        )
        seat.enter = lambda: record.enter(lane.take())
        return seat

    async def _wait(self, record: Record, outcome: Waits, preview: Preview) -> None:
        """Put the question, durably, together with the turn's waiting for its answer.

        What was shown so far is left as it is, and the answer will be a message of its own: nobody looks up again to
        what stands above a question.
        """
        rows = await self._house.approvals.questions(outcome.asked.question, record.session)
        if preview.ref:
            shown = outgoing(address_of(record.session), preview.text or _PAUSED, self.core.clock(), "notice")
            shown.edits = preview.ref
            rows = [*self._outbox.pieces(shown), *rows]
            record.turn.preview = ""
        with self._outbox.claiming(rows[0].session, rows[:1]):
            await record.suspend(outcome.asked.approval, rows)
        self._outbox.put(rows[1:])
        self._house.approvals.opened()

    async def _outcome(self, turn: Turn, lane: Lane, record: Record) -> Outcome:
        if not record.rows:
            return Revised()  # Killed between a change of what it answers and its end.
        if max((row.attempts for row in record.rows), default=0) > _MOST_ATTEMPTS:
            log.error("turn %s was under way at %d restarts and is given up", record.turn.id, _MOST_ATTEMPTS)
            return Failed()
        if record.session.private and not record.session.person:
            return (
                Stopped()
            )  # Its writer has become a stranger there: what is known of the person is not for them.
        deadline = self.core.settings.turn_deadline
        try:
            async with lane.limit(deadline):
                return await turn.run()
        except TimeoutError:
            if lane.revised:
                return Revised()
            return Stopped(turn.begun) if lane.stopped else OutOfTime(deadline, turn.begun)
        except Exception:
            # Catches everything: a message is answered even by a fault of ours.
            log.exception("a turn of %s failed", record.session.key)
            return Failed()

    async def _finish(self, record: Record, turn: Turn, outcome: Outcome, preview: str) -> None:
        now = self.core.clock()
        text = say(outcome, now)
        notice, shown = self._notice(record, turn, outcome, now)
        if heard := words(outcome):
            record.add(Message("assistant", heard), turn.trust)
        if notice not in ("", STARTER_NOTE) or isinstance(outcome, NoModelLeft):
            log.warning("%s: %s", record.session.key, (notice or text).replace("\n", " "))
        word = self._word(record, turn, notice, now)
        if isinstance(outcome, Revised) and not preview:
            text = ""  # Nothing is seen of what is given up: the answer to the newer version says it all.
        if record.heard and text:
            text = f"{_heard(record.heard)}\n\n{text}"
        rows = self._rows(record, text, "\n".join(filter(None, (notice, word.text))), preview)
        result = Result(type(outcome).__name__, turn.route, turn.paths, shown, told=word.keys)
        await self._commit(record, rows, result)
        self._house.meter.turn_ended(_ended(record, result, self.core.clock()))
        self._house.treasurer.turn_ended()
        self._shorten(record, turn)
        if isinstance(outcome, Answered) and record.heard and self.core.config.voice.reply:
            self._house.supervisor.spawn(f"voice {record.session.key}", self._say(record, outcome.text))

    async def _say(self, record: Record, text: str) -> None:
        """Answer by voice, too, who asked by voice. The text has its own way: that this fails is no news to them."""
        session = record.session
        if not self._channels[session.channel].file_limit:
            return
        folder = self.core.database.path.with_name(OUTGOING)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            path = await self._house.speak(text, folder / f"{uuid.uuid4().hex}.ogg")
        except (BotError, OSError) as error:
            log.warning("the answer was not spoken: %s", error)
            return
        note = outgoing(address_of(session), "", self.core.clock(), "message")
        note.file = {
            "path": str(path),
            "name": f"answer{path.suffix}",
            "mime": "audio/ogg",
            "kind": Media.VOICE,
        }
        if path.suffix != ".ogg":
            note.file |= {"mime": "audio/wav", "kind": Media.AUDIO}
        await self._outbox.store([note])

    def _shorten(self, record: Record, turn: Turn) -> None:
        """Shorten the conversation once its turn is over and it fills its room."""
        tokens = sum(estimate_tokens(past.messages) for past in record.history) + estimate_tokens(record.said)
        session, room = record.session.key, turn.room
        if room and self._house.compactor.due(session, tokens, room):
            self._house.supervisor.spawn(
                f"summary of {session}", self._house.compactor.compact(session, room)
            )

    def _word(self, record: Record, turn: Turn, notice: str, now: float) -> Word:
        """What there is to tell the owner, if it is they alone who read; what the notice says is not said twice."""
        if not record.session.private or self._house.role_of(record.turn.person) is not Role.OWNER:
            return Word()
        attempts = [attempt for path in turn.paths for attempt in path if attempt.needs_owner]
        unanswered = bool(turn.paths) and bool(turn.paths[-1][-1].error)
        said = {a.route.provider for a in attempts if unanswered or str(a.route) in notice}
        return self._house.treasurer.claim(now, said)

    async def _commit(self, record: Record, rows: list[OutboxRow], result: Result) -> None:
        with self._outbox.claiming(record.session.key, rows):
            await record.finish(rows, result)

    def _notice(self, record: Record, turn: Turn, outcome: Outcome, now: float) -> tuple[str, notices.Shown]:
        if isinstance(outcome, NoModelLeft):
            return "", notices.lost([outcome.path], record.shown)
        if not turn.paths or turn.paths[-1][-1].error:
            return "", record.shown
        if isinstance(outcome, Answered) and outcome.tiny and not record.shown.get("tiny"):
            return STARTER_NOTE, {**record.shown, "tiny": True}
        return notices.decide(turn.paths, record.shown, now)

    def _rows(self, record: Record, text: str, notice: str, preview: str) -> list[OutboxRow]:
        """One row a piece, the first replacing what is shown of the answer; then the notice."""
        session = record.session
        pieces = self._channels[session.channel].split(text) or ([_UNSEEN] if text else [])
        parts = [("answer", piece) for piece in pieces] + ([("notice", notice)] if notice else [])
        now = self.core.clock()
        return [
            OutboxRow(
                session=session.key,
                channel=session.channel,
                chat=session.chat,
                thread=session.thread,
                kind=kind,
                text=piece,
                edits=preview if number == 0 else "",
                reply_to=record.ref if number == 0 else "",
                created_at=now,
            )
            for number, (kind, piece) in enumerate(parts)
        ]


def _ended(record: Record, result: Result, now: float) -> TurnEnded:
    began = record.turn.started_at
    arrived = min((row.received_at for row in record.rows), default=began)
    return TurnEnded(result.outcome, record.session.channel, began - arrived, now - began, result.paths)


def _heard(spoken: Sequence[str]) -> str:
    """What a machine wrote down of the person's speech, so that they see what was answered."""
    text = " ".join(" ".join(spoken).split())
    return f"🎙 _{text if len(text) <= _SHOWN_SPEECH else text[:_SHOWN_SPEECH] + '…'}_"


def _scene(core: Core, record: Record, helpers: str) -> Scene:
    """What a conversation's prompt holds; in a group nothing of what is known about a person."""
    session = record.session
    return Scene(
        session.channel,
        helpers=helpers,
        known=core.memory.prompt(record.turn.person) if session.private else "",
        pinned=tuple(session.pinned or ()),
        summary=record.summary,
        zone=core.config.zone(record.turn.person),
        elsewhere=bool(record.elsewhere),
    )


def _close_calls(record: Record) -> None:
    """Give every call a result: no model reads a transcript in which one is missing."""
    for call in record.unanswered():
        record.add(Message("tool", INTERRUPTED, tool_call_id=call.id))

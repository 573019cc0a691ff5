"""A turn's conversation: in memory for the model, and row by row on disk so that a killed turn goes on where it was."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

from bot.gateway import parts
from bot.gateway.parts import Arrival
from bot.safety.audit import ANCHORS, Anchor, Anchors, Deed
from bot.safety.rules import Trust, worst
from bot.storage import sessions, turns
from bot.storage.database import Database, Transaction
from bot.storage.tables import Approval, Inbox, Outbox, Session, ToolOutput, Turn, TurnState
from bot.storage.tables import Message as Row
from bot.storage.turns import Aside, Ending, Said, Step
from bot.toolbox import ToolResult, shorten
from providers.types import Attempt, Image, Message, Route, Thoughts, ToolCall

log = logging.getLogger(__name__)

_HISTORY_ROWS = 400
"""Most rows of earlier turns that are read: bounds a turn's cost however long the conversation is."""
_ELSEWHERE_SECONDS = 3 * 86_400.0
"""How far back what was said in the person's other chats is part of a conversation."""
_LONGEST_ASIDE = 1_500
"""Characters of one message in another chat."""
_PICTURES = "[pictures that came with the message]"
_PASSED_ON = "[passed on without a word of their own]"
INTERRUPTED = "Interrupted; the outcome is unknown. Check before you do it again."

_Transaction = Callable[[Transaction], Turn]
Album = Callable[[str], Image | None]


def no_pictures(_path: str) -> Image | None:
    """The album of who sees none."""
    return None


@dataclass(slots=True)
class _Loaded:
    session: Session
    history: list[Said]
    elsewhere: list[Aside]
    shown: Mapping[str, Any]
    steps: list[Said]
    approvals: list[Approval]


@dataclass(frozen=True, slots=True)
class Past:
    """One earlier turn, and the worst label of what of it is in the context."""

    turn: int
    messages: list[Message]
    trust: Trust


@dataclass(frozen=True, slots=True)
class Result:
    """How a turn ended, for its row: the outcome's name, who answered, every call's attempts, the notices shown.

    `forget` says that the conversation up to here leaves the context, `told` what the owner learns of caps by it."""

    outcome: str
    route: str
    paths: Sequence[Sequence[Attempt]]
    shown: Mapping[str, Any]
    forget: bool = False
    told: Sequence[str] = ()


class Record:
    """`history` are this chat's earlier turns; `elsewhere` those of the person's other chats, shortened; `said` is what
    this turn adds, oldest first. `album` gives a picture by its path below the workspace.
    """

    def __init__(
        self, database: Database, loaded: _Loaded, turn: Turn, clock: Callable[[], float], album: Album
    ) -> None:
        self.session = loaded.session
        self.history = _by_turn(loaded.history, album)
        self.elsewhere = _asides(loaded.elsewhere)
        self.shown = loaded.shown
        self.said = [_message(said, album) for said in loaded.steps]
        self.labels = [Trust(said.trust) for said in loaded.steps]
        """Whose words each message of `said` holds."""
        self.turn = turn
        self.rows: list[Inbox] = []
        """The messages that this turn answers."""
        self._database = database
        self._clock = clock
        self._album = album
        self._unsaved: list[Row] = []
        self._unlinked: list[int] = []
        self._writing = asyncio.Lock()
        self._approvals = {approval.call: approval for approval in loaded.approvals}
        self._deeds: list[Deed] = []
        self._outputs: list[ToolOutput] = []

    @classmethod
    async def begin(
        cls,
        database: Database,
        session: str,
        resume: Turn | None,
        clock: Callable[[], float],
        album: Album = no_pictures,
    ) -> Record:
        """Read what the turn needs in one go; calls that a restart cut off get their result here."""
        turn = resume or Turn(session=session, path=[], started_at=clock())
        loaded = await database.insist(partial(_load, turn=turn, since=clock() - _ELSEWHERE_SECONDS))
        record = cls(database, loaded, turn, clock, album)
        await record._resume()
        return record

    @classmethod
    async def of_worker(cls, database: Database, turn: Turn, clock: Callable[[], float]) -> Record:
        """The record of a worker's turn, new or one to go on with: it knows nothing of the conversation."""
        record = cls(database, await database.insist(partial(_load, turn=turn)), turn, clock, no_pictures)
        await record._resume()
        return record

    async def _resume(self) -> None:
        """Settle what the last run left: calls that had begun have an unknown outcome, those that waited have not."""
        if self.turn.id is None:
            return
        if self.turn.state is TurnState.WAITING:
            await self._database.insist(partial(turns.go_on, turn=self.turn, now=self._clock()))
            return
        handed_on = await self._database.insist(partial(turns.workers, turn=self.turn.id))
        for call in self.unanswered():
            if call.id not in handed_on:
                self.add(Message("tool", INTERRUPTED, tool_call_id=call.id))

    @property
    def ref(self) -> str:
        """Reference of the last message that the turn answers."""
        return self.rows[-1].ref if self.rows else ""

    @property
    def question(self) -> str:
        """What the user wrote last."""
        return next((message.content for message in reversed(self.said) if message.role == "user"), "")

    def enter(self, rows: Sequence[Inbox], *, recorded: bool = False) -> None:
        """Let messages enter the turn, as one; `recorded` if a turn before the restart wrote them down already."""
        if not rows:
            return
        self.rows += rows
        self.turn.person = self.turn.person or rows[0].person
        if recorded:
            return
        self._unlinked += [row.id for row in rows if row.id is not None]
        for row in rows:
            self._enter_outside(row)
        trust = worst(*(Trust(row.trust) for row in rows))
        self.add(Message("user", "\n".join(self._text(row) for row in rows)), trust)

    def _enter_outside(self, row: Inbox) -> None:
        """What a message passes on of others' words, and its pictures: before the sender's own words, labelled."""
        quotes = [quote for quote in row.quotes or () if quote["trust"] != Trust.OWN]
        pictures = [one.path for one in map(Arrival.of, row.files or ()) if one.picture]
        if not quotes and not pictures:
            return
        text = parts.quotes_note(quotes) or _PICTURES
        handle = f"q{row.id}" if quotes else ""
        if handle:
            kept = ToolOutput(
                handle=handle,
                session=self.session.key,
                turn=self.turn.id or 0,
                tool="message",
                text=text,
                trust=Trust.UNTRUSTED,
                at=self._clock(),
            )
            self._outputs.append(kept)
        images = tuple(image for path in pictures if (image := self._album(path)) is not None)
        self.add(Message("user", text, images=images), Trust.UNTRUSTED, kept=handle, pictures=pictures)

    def unanswered(self) -> list[ToolCall]:
        """The calls that have no result yet, in order. (Their ids may occur twice: servers count from 0 each time.)"""
        for number, message in reversed(list(enumerate(self.said))):
            if message.tool_calls:
                results = sum(later.role == "tool" for later in self.said[number + 1 :])
                return list(message.tool_calls[results:])
        return []

    def trust_of(self, turns: Sequence[Past]) -> Trust:
        """The worst label of the summary and of these earlier turns."""
        summed_up = Trust(self.session.summary_trust) if self.summary else Trust.OWN
        return worst(summed_up, *(past.trust for past in turns))

    @property
    def summary(self) -> str:
        """What stands for the turns before `history`; "" where there is nothing before them."""
        session = self.session
        return session.summary if session.summarised > session.history_after else ""

    @property
    def trust(self) -> Trust:
        """The worst label of what this turn holds."""
        return worst(*self.labels)

    def own_words(self) -> list[str]:
        """What the person wrote in this turn, without what was quoted or forwarded."""
        labelled = zip(self.said, self.labels, strict=True)
        return [m.content for m, trust in labelled if m.role == "user" and trust is Trust.OWN]

    def results(self) -> list[tuple[ToolCall, str]]:
        """What was called in this turn, and what came of it."""
        calls: list[ToolCall] = []
        found = []
        for message in self.said:
            if message.tool_calls:
                calls = list(message.tool_calls)
            elif message.role == "tool" and calls:
                found.append((calls.pop(0), message.content))
        return found

    def take_approval(self, call: ToolCall) -> Approval | None:
        """What was asked about a call, if it was; once, as a later call may have the same id."""
        return self._approvals.pop(call.id, None)

    def did(self, deed: Deed) -> None:
        """Note a tool's call for the audit log, durable with the next `save`."""
        self._deeds.append(deed)

    @property
    def heard(self) -> list[str]:
        """What was spoken in the messages that this turn answers."""
        return [one.heard for row in self.rows for one in map(Arrival.of, row.files or ()) if one.heard]

    def timeline(self, zone: tzinfo | None) -> list[Past]:
        """The earlier turns of this chat and of the person's others, by time; another chat's say where and when."""
        aside = [one.past(zone) for one in self.elsewhere]
        return sorted([*self.history, *aside], key=lambda past: past.turn)

    def add(
        self,
        message: Message,
        trust: Trust = Trust.OWN,
        *,
        kept: str = "",
        pictures: Sequence[str] = (),
    ) -> None:
        """Append a message; it is on disk after the next `save` or `finish`."""
        self.said.append(message)
        self.labels.append(trust)
        calls = [{"id": c.id, "name": c.name, "arguments": dict(c.arguments)} for c in message.tool_calls]
        self._unsaved.append(
            Row(
                session=self.session.key,
                turn=0,
                role=message.role,
                content=message.content,
                tool_calls=calls or None,
                tool_call_id=message.tool_call_id,
                thoughts=_stored(message.thoughts),
                trust=trust,
                kept=kept,
                images=list(pictures) or None,
                created_at=self._clock(),
            )
        )

    def add_result(self, call: ToolCall, result: ToolResult, most: int) -> None:
        """Append what a tool said to a call: its head and tail where it has more than `most` characters. What is cut,
        and what is from outside and so leaves the context with the turn, is kept whole beside it.
        """
        text, handle = result.text, ""
        if len(text) > most or result.trust is Trust.UNTRUSTED:
            handle = f"r{self.turn.id}-{sum(message.role == 'tool' for message in self.said) + 1}"
            self._outputs.append(
                ToolOutput(
                    handle=handle,
                    session=self.session.key,
                    turn=self.turn.id or 0,
                    tool=call.name,
                    text=text,
                    trust=result.trust,
                    at=self._clock(),
                )
            )
        if len(text) > most:
            text = f"{shorten(text, most)}\n[the whole: result_read {handle}]"
        self.add(Message("tool", text, tool_call_id=call.id), result.trust, kept=handle)

    async def save(self) -> None:
        """Make every step so far durable."""
        await self._write(lambda step: partial(turns.record, turn=self.turn, step=step))

    async def save_preview(self, ref: str) -> None:
        """Make durable what the channel shows of the unfinished answer."""
        await self._write(lambda step: partial(turns.record_preview, turn=self.turn, step=step, ref=ref))

    async def suspend(self, approval: Approval, outbox: list[Outbox]) -> None:
        """Commit the question, and that the turn waits for its answer."""

        def suspending(step: Step) -> _Transaction:
            return partial(turns.suspend, turn=self.turn, step=step, approval=approval, outbox=outbox)

        await self._write(suspending, outbox)

    async def finish(
        self, outbox: list[Outbox], result: Result, also: Callable[[Transaction], None] | None = None
    ) -> None:
        """Commit answer, transcript, outbox rows, "done", and what `also` writes together."""

        def ending(step: Step) -> Ending:
            return Ending(
                step=step,
                outbox=outbox,
                outcome=result.outcome,
                route=result.route,
                path=[asdict(attempt) for path in result.paths for attempt in path],
                ended_at=self._clock(),
                shown=dict(result.shown) if result.shown != self.shown else None,
                forget=result.forget,
                told=result.told,
                resolved=[row.id for row in self.rows if row.id is not None],
                also=also,
            )

        await self._write(lambda step: partial(turns.finish, turn=self.turn, ending=ending(step)), outbox)

    async def _write(
        self, transaction: Callable[[Step], _Transaction], outbox: Sequence[Outbox] = ()
    ) -> None:
        """Commit what is unsaved. A turn that is stopped meanwhile leaves the commit whole: it can't be taken back."""
        await asyncio.shield(self._in_order(transaction, outbox))

    async def _in_order(self, transaction: Callable[[Step], _Transaction], outbox: Sequence[Outbox]) -> None:
        # A preview is recorded beside the turn's own steps; each message must be in exactly one of these commits.
        async with self._writing:
            step = Step(self._unsaved, self._unlinked, self._deeds, self._outputs)
            self._unsaved, self._unlinked, self._deeds, self._outputs = [], [], [], []
            stored = self.turn.id

            def undo() -> None:
                # What was rolled back must look new again, so that the next try inserts it.
                self.turn.id = stored
                for row in outbox:
                    row.id = None

            await self._database.insist(transaction(step), undo)
            if step.anchor is not None:
                self._anchor(step.anchor)

    def _anchor(self, anchor: Anchor) -> None:
        try:
            Anchors(self._database.path.with_name(ANCHORS)).add(anchor)
        except OSError as error:
            log.warning("the end of the audit log could not be anchored: %s", error)

    def _text(self, row: Inbox) -> str:
        """A message in its sender's own words, with what came along named."""
        files = [Arrival.of(one) for one in row.files or ()]
        own = [quote for quote in row.quotes or () if quote["trust"] == Trust.OWN]
        said = (parts.quotes_note(own), row.text, parts.spoken(files), parts.files_note(files))
        text = "\n".join(part for part in said if part) or _PASSED_ON
        return text if self.session.private else f"{row.sender_name or row.person}: {text}"


def _message(said: Said, album: Album) -> Message:
    calls = tuple(ToolCall(call["id"], call["name"], call["arguments"]) for call in said.tool_calls or ())
    images = tuple(image for path in said.images or () if (image := album(path)) is not None)
    role: Any = said.role  # written by `add`
    return Message(role, said.content, calls, said.tool_call_id, images, _thoughts(said.thoughts))


def _stored(thoughts: Thoughts | None) -> dict[str, Any] | None:
    if thoughts is None:
        return None
    route = thoughts.route
    return {"provider": route.provider, "model": route.model, "blocks": [dict(b) for b in thoughts.blocks]}


def _thoughts(stored: Mapping[str, Any] | None) -> Thoughts | None:
    if not stored:
        return None
    return Thoughts(Route(stored["provider"], stored["model"]), tuple(stored["blocks"]))


def _load(s: Transaction, turn: Turn, since: float | None = None) -> _Loaded:
    """`since`, in epoch seconds, is how far back the person's other chats count; None: no conversation is read."""
    row = sessions.get(s, turn.session)
    assert row is not None  # noqa: S101 -- made with the message that started the turn
    steps = turns.steps(s, turn.id) if turn.id is not None else []
    asked = turns.approvals(s, turn.id) if turn.id is not None else []
    if since is None:
        return _Loaded(row, [], [], {}, steps, asked)
    after = max(row.history_after, row.summarised)
    past = turns.history(s, turn.session, after, _HISTORY_ROWS)
    aside = turns.elsewhere(s, row, since) if row.private and row.person else []
    return _Loaded(row, past, aside, turns.shown(s, turn.session), steps, asked)


def _by_turn(transcript: Sequence[Said], album: Album) -> list[Past]:
    newest = transcript[-1].turn if transcript else 0
    grouped: dict[int, list[Said]] = {}
    for said in transcript:
        # A question about a picture that was sent right before is asked as often as one with it.
        looked_at = said.images and said.turn == newest
        grouped.setdefault(said.turn, []).append(said if looked_at else _left_behind(said))
    return [
        Past(number, [_message(said, album) for said in turn], worst(*(Trust(said.trust) for said in turn)))
        for number, turn in grouped.items()
    ]


def _left_behind(said: Said) -> Said:
    """What came from outside leaves the context with its turn; a handle to it stays."""
    if said.trust == Trust.OWN or said.role == "assistant" or not (said.kept or said.images):
        return said
    if not said.kept:
        return said._replace(content="[a picture]", trust=Trust.OWN, images=None)
    again = f"[from outside; result_read {said.kept} shows it again]"
    return said._replace(content=again, trust=Trust.OWN, images=None)


@dataclass(frozen=True, slots=True)
class _Aside:
    """One turn of another of the person's chats."""

    turn: int
    channel: str
    at: float
    said: list[Said]

    def past(self, zone: tzinfo | None) -> Past:
        when = datetime.fromtimestamp(self.at, UTC).astimezone(zone)
        first, *others = [_message(one, no_pictures) for one in self.said]
        place = f"(on {self.channel}, {when:%a %d %b %H:%M})"
        messages = [replace(first, content=f"{place} {first.content}"), *others]
        return Past(self.turn, messages, worst(*(Trust(one.trust) for one in self.said)))


def _asides(found: Sequence[Aside]) -> list[_Aside]:
    """By turn; one whose beginning was not read is left out, and one without an answer: it would get one here."""
    grouped: dict[int, list[Aside]] = {}
    for aside in found:
        grouped.setdefault(aside.said.turn, []).append(aside)
    return [
        _Aside(number, turn[0].channel, turn[0].at, [_cut(_left_behind(one.said)) for one in turn])
        for number, turn in grouped.items()
        if turn[0].said.role == "user" and turn[-1].said.role == "assistant"
    ]


def _cut(said: Said) -> Said:
    return said._replace(
        content=shorten(said.content, _LONGEST_ASIDE), tool_calls=None, thoughts=None, images=None
    )

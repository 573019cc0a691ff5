"""A turn's conversation: in memory for the model, and row by row on disk so that a killed turn goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from bot.storage import sessions, turns
from bot.storage.database import Database, Transaction
from bot.storage.tables import Inbox, Outbox, Session, Turn
from bot.storage.tables import Message as Row
from bot.storage.turns import Ending, Said, Step
from providers.types import Attempt, Message, ToolCall

_HISTORY_ROWS = 400
"""Most rows of earlier turns that are read: bounds a turn's cost however long the conversation is."""
INTERRUPTED = "Interrupted; the outcome is unknown. Check before you do it again."

_Transaction = Callable[[Transaction], Turn]


@dataclass(slots=True)
class _Loaded:
    session: Session
    history: list[Said]
    shown: Mapping[str, Any]
    steps: list[Said]


@dataclass(frozen=True, slots=True)
class Result:
    """How a turn ended, for its row: the outcome's name, who answered, every call's attempts, the notices shown.

    `forget` says that the conversation up to here leaves the context."""

    outcome: str
    route: str
    paths: Sequence[Sequence[Attempt]]
    shown: Mapping[str, Any]
    forget: bool = False


class Record:
    """`history` are the earlier turns, each a list of messages; `said` is what this turn adds, oldest first."""

    def __init__(self, database: Database, loaded: _Loaded, turn: Turn, clock: Callable[[], float]) -> None:
        self.session = loaded.session
        self.history = _by_turn(loaded.history)
        self.shown = loaded.shown
        self.said = [_message(said) for said in loaded.steps]
        self.turn = turn
        self.rows: list[Inbox] = []
        """The messages that this turn answers."""
        self._database = database
        self._clock = clock
        self._unsaved: list[Row] = []
        self._unlinked: list[int] = []
        self._writing = asyncio.Lock()

    @classmethod
    async def begin(
        cls, database: Database, session: str, resume: Turn | None, clock: Callable[[], float]
    ) -> Record:
        """Read what the turn needs in one go; calls that a restart cut off get their result here."""

        def load(s: Transaction) -> _Loaded:
            row = sessions.get(s, session)
            assert row is not None  # noqa: S101 -- made with the message that started the turn
            steps = turns.steps(s, resume.id) if resume is not None and resume.id is not None else []
            history = turns.history(s, session, row.history_after, _HISTORY_ROWS)
            return _Loaded(row, history, turns.shown(s, session), steps)

        loaded = await database.insist(load)
        turn = resume or Turn(session=session, path=[], started_at=clock())
        record = cls(database, loaded, turn, clock)
        for call in _unanswered(record.said):
            record.add(Message("tool", INTERRUPTED, tool_call_id=call.id))
        return record

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
        self.add(Message("user", "\n".join(self._text(row) for row in rows)))

    def add(self, message: Message) -> None:
        """Append a message; it is on disk after the next `save` or `finish`."""
        self.said.append(message)
        calls = [{"id": c.id, "name": c.name, "arguments": dict(c.arguments)} for c in message.tool_calls]
        self._unsaved.append(
            Row(
                session=self.session.key,
                turn=0,
                role=message.role,
                content=message.content,
                tool_calls=calls or None,
                tool_call_id=message.tool_call_id,
                created_at=self._clock(),
            )
        )

    async def save(self) -> None:
        """Make every step so far durable."""
        await self._write(lambda step: partial(turns.record, turn=self.turn, step=step))

    async def save_preview(self, ref: str) -> None:
        """Make durable what the channel shows of the unfinished answer."""
        await self._write(lambda step: partial(turns.record_preview, turn=self.turn, step=step, ref=ref))

    async def finish(self, outbox: list[Outbox], result: Result) -> None:
        """Commit answer, transcript, outbox rows and "done" together."""

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
                resolved=[row.id for row in self.rows if row.id is not None],
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
            step = Step(self._unsaved, self._unlinked)
            self._unsaved, self._unlinked = [], []
            stored = self.turn.id

            def undo() -> None:
                # What was rolled back must look new again, so that the next try inserts it.
                self.turn.id = stored
                for row in outbox:
                    row.id = None

            await self._database.insist(transaction(step), undo)

    def _text(self, row: Inbox) -> str:
        return row.text if self.session.private else f"{row.sender_name or row.person}: {row.text}"


def _message(said: Said) -> Message:
    calls = tuple(ToolCall(call["id"], call["name"], call["arguments"]) for call in said.tool_calls or ())
    return Message(said.role, said.content, calls, said.tool_call_id)  # type: ignore[arg-type] # written by `add`


def _by_turn(transcript: Sequence[Said]) -> list[list[Message]]:
    grouped: dict[int, list[Message]] = {}
    for said in transcript:
        grouped.setdefault(said.turn, []).append(_message(said))
    return list(grouped.values())


def _unanswered(said: Sequence[Message]) -> list[ToolCall]:
    answered = {message.tool_call_id for message in said if message.role == "tool"}
    return [call for message in said for call in message.tool_calls if call.id not in answered]

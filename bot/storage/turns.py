"""A turn's record: its steps as they happen, and the one transaction that ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import bindparam, or_, select, update
from sqlmodel import Session as Db
from sqlmodel import col
from sqlmodel import select as sqlmodel_select

from bot.safety.audit import Anchor, Deed
from bot.storage import audit, ledger, sessions, values
from bot.storage.tables import (
    Approval,
    ApprovalState,
    Inbox,
    InboxState,
    Message,
    NoticeState,
    Outbox,
    Session,
    ToolOutput,
    Turn,
    TurnState,
)

_TURN, _INBOX, _MESSAGE, _NOTICE = (values.table(kind) for kind in (Turn, Inbox, Message, NoticeState))
_TAKE = _INBOX.update().where(_INBOX.c.id.in_(bindparam("these", expanding=True)))
_TAKE_ALL = _INBOX.update().where(
    or_(_INBOX.c.turn == bindparam("of"), _INBOX.c.id.in_(bindparam("these", expanding=True)))
)
_SAID_OF = ("turn", "role", "content", "tool_calls", "tool_call_id", "trust", "thoughts", "kept", "images")
_SAID = select(*(_MESSAGE.c[name] for name in _SAID_OF))
_STEPS = _SAID.where(_MESSAGE.c.turn == bindparam("that")).order_by(_MESSAGE.c.id)
_HISTORY = (
    _SAID.join(_TURN, _MESSAGE.c.turn == _TURN.c.id)
    .where(_MESSAGE.c.session == bindparam("of"), _MESSAGE.c.id > bindparam("after"))
    .where(_TURN.c.state == TurnState.DONE, _TURN.c.task.is_(None))
    .order_by(_MESSAGE.c.id.desc())
    .limit(bindparam("most"))
)
_SESSION = values.table(Session)
_OTHERS = (
    select(_SESSION.c.key, _SESSION.c.channel, _SESSION.c.history_after)
    .where(_SESSION.c.person == bindparam("whose"), _SESSION.c.updated_at > bindparam("since"))
    .where(_SESSION.c.key != bindparam("here"), _SESSION.c.private)
    .order_by(_SESSION.c.updated_at.desc())
    .limit(bindparam("most"))
)
_TALK = (
    select(*(_MESSAGE.c[name] for name in _SAID_OF), _MESSAGE.c.created_at)
    .join(_TURN, _MESSAGE.c.turn == _TURN.c.id)
    .where(_MESSAGE.c.session == bindparam("of"), _MESSAGE.c.id > bindparam("after"))
    .where(_MESSAGE.c.created_at > bindparam("since"), _MESSAGE.c.role.in_(("user", "assistant")))
    .where(_TURN.c.state == TurnState.DONE, _TURN.c.task.is_(None), _MESSAGE.c.content != "")
    .order_by(_MESSAGE.c.id.desc())
    .limit(bindparam("most"))
)
_ABANDON = _TURN.update().where(_TURN.c.parent == bindparam("of"), _TURN.c.state != TurnState.DONE)
_SHOWN = select(_NOTICE.c.shown).where(_NOTICE.c.session == bindparam("of"))


_OTHER_CHATS = 6
_OTHERS_MESSAGES = 12


class Said(NamedTuple):
    """One entry of a transcript, as it is read."""

    turn: int
    role: str
    content: str
    tool_calls: list[dict[str, Any]] | None
    tool_call_id: str
    trust: str
    thoughts: dict[str, Any] | None
    kept: str
    images: list[str] | None = None


class Aside(NamedTuple):
    """Something that was said in another of a person's chats, and when (epoch seconds)."""

    channel: str
    at: float
    said: Said


@dataclass(slots=True)
class Step:
    """What one step of a turn adds to its record. `inbox` are the ids of messages that entered the turn by it."""

    messages: list[Message]
    inbox: list[int] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    outputs: list[ToolOutput] = field(default_factory=list)
    anchor: Anchor | None = None
    """Set by the transaction: the new end of the audit log."""


@dataclass(slots=True)
class Ending:
    """Everything that a turn's end commits together."""

    step: Step
    outbox: list[Outbox]
    outcome: str
    route: str
    path: list[dict[str, Any]]
    ended_at: float
    shown: dict[str, Any] | None = None
    """What the session's readers now know of failing routes; None where that has not changed."""
    resolved: list[int] = field(default_factory=list)
    """Inbox ids that this answer settles, those that enter by the last step included."""
    forget: bool = False
    """Whether the conversation up to here leaves the context."""
    told: Sequence[str] = ()
    """What the owner learns of caps by this answer; see `bot.storage.ledger.remember`."""
    also: Callable[[Db], None] | None = None
    """Writes what belongs to the same commit."""


def record(s: Db, turn: Turn, step: Step) -> Turn:
    """Add a step to the turn, making its row where this is the first; returns it with its id."""
    number = _append(s, turn, step)
    if step.inbox:
        s.connection().execute(_TAKE, {"these": step.inbox, "turn": number})
    return turn


def record_preview(s: Db, turn: Turn, step: Step, ref: str) -> Turn:
    """Remember what the channel shows of the unfinished answer, so that a restart replaces it."""
    record(s, turn, step)
    turn.preview = ref
    values.change(s, turn, "preview")
    return turn


def suspend(s: Db, turn: Turn, step: Step, approval: Approval, outbox: list[Outbox]) -> Turn:
    """Leave the turn as it is until somebody has decided: step, question and waiting in one transaction."""
    turn.state = TurnState.WAITING
    number = _append(s, turn, step)
    values.change(s, turn, "state", "route", "preview")
    s.connection().execute(
        _TAKE_ALL, {"of": number, "these": step.inbox, "turn": number, "state": InboxState.HELD}
    )
    if approval.id is None:
        approval.turn = approval.turn or number
        s.add(approval)
        s.flush()
    for out in outbox:
        out.turn = number
        values.add(s, out)
    return turn


def go_on(s: Db, turn: Turn, now: float) -> Turn:
    """A waiting turn runs again: from here on a restart takes its calls for begun, and what was decided is used up."""
    turn.state = TurnState.RUNNING
    values.change(s, turn, "state")
    s.connection().execute(
        _TAKE_ALL, {"of": turn.id, "these": [], "turn": turn.id, "state": InboxState.QUEUED}
    )
    s.execute(
        update(Approval)
        .where(col(Approval.turn) == turn.id, col(Approval.state) != ApprovalState.PENDING)
        .values(used_at=now)
    )
    return turn


def approvals(s: Db, turn: int) -> list[Approval]:
    """What was asked for in a turn and not used up yet."""
    return list(
        s.exec(sqlmodel_select(Approval).where(Approval.turn == turn, col(Approval.used_at).is_(None)))
    )


def workers(s: Db, turn: int) -> frozenset[str]:
    """The calls of a turn that were handed on to a worker which is not done; its own turn knows how far it came."""
    return frozenset(
        s.exec(sqlmodel_select(Turn.call).where(Turn.parent == turn, Turn.state != TurnState.DONE))
    )


def worker(s: Db, parent: int, call: str) -> Turn | None:
    """The turn that a call handed its work to, where it is not done."""
    return s.exec(
        sqlmodel_select(Turn).where(Turn.parent == parent, Turn.call == call, Turn.state != TurnState.DONE)
    ).first()


def finish(s: Db, turn: Turn, ending: Ending) -> Turn:
    """Answer, transcript, outbox rows and "done" in one transaction."""
    begun = turn.id is not None
    turn.state, turn.outcome, turn.route = TurnState.DONE, ending.outcome, ending.route
    turn.path, turn.ended_at = ending.path, ending.ended_at
    number = _append(s, turn, ending.step)
    if begun:
        values.change(s, turn, "state", "outcome", "route", "path", "ended_at")
    s.connection().execute(_TAKE, {"these": ending.resolved, "turn": number, "state": InboxState.DONE})
    for out in ending.outbox:
        out.turn = number
        values.add(s, out)
    if begun:
        # A worker whose result nobody waits for any more is not gone on with.
        s.connection().execute(_ABANDON, {"of": number, "state": TurnState.DONE, "ended_at": ending.ended_at})
    if ending.shown is not None:
        s.merge(NoticeState(session=turn.session, shown=ending.shown, updated_at=ending.ended_at))
    if ending.told:
        ledger.remember(s, ending.told, ending.ended_at)
    if ending.also is not None:
        ending.also(s)
    if ending.forget:
        sessions.forget_history(s, turn.session)
    return turn


def history(s: Db, session: str, after: int, limit: int) -> list[Said]:
    """The last messages of a session's finished turns with an id above `after`, oldest first, whole turns only."""
    found = s.connection().execute(_HISTORY, {"of": session, "after": after, "most": limit}).all()
    kept = [Said(*row) for row in reversed(found)]
    # A turn may be cut in two by the limit, or by a `/new` while it waited for somebody's word: leave it out rather
    # than orphan a tool's result.
    cut = {kept[0].turn} if len(kept) == limit else set()
    begun: set[int] = set()
    for said in kept:
        if said.turn not in begun and said.role != "user":
            cut.add(said.turn)
        begun.add(said.turn)
    return [said for said in kept if said.turn not in cut]


def elsewhere(s: Db, session: Session, since: float) -> list[Aside]:
    """What was lately said in a person's other private chats, in finished turns: of each chat the newest, oldest first,
    without what tools said, and nothing from before this chat or the other was started afresh.
    """
    found: list[Aside] = []
    given = {"whose": session.person, "since": since, "here": session.key, "most": _OTHER_CHATS}
    for key, channel, forgotten in s.connection().execute(_OTHERS, given).all():
        after = max(forgotten, session.history_after)
        of = {"of": key, "after": after, "since": since, "most": _OTHERS_MESSAGES}
        rows = s.connection().execute(_TALK, of).all()
        found += (Aside(channel, row[-1], Said(*row[:-1])) for row in reversed(rows))
    return found


def steps(s: Db, turn: int) -> list[Said]:
    """What a turn has recorded so far, oldest first."""
    return [Said(*row) for row in s.connection().execute(_STEPS, {"that": turn})]


def shown(s: Db, session: str) -> dict[str, Any]:
    """What the readers of a session were last told of its routes."""
    return dict(s.connection().execute(_SHOWN, {"of": session}).scalar() or {})


def _append(s: Db, turn: Turn, step: Step) -> int:
    number = values.add(s, turn) if turn.id is None else turn.id
    for message in step.messages:
        message.turn = number
    values.add_all(s, step.messages)
    for output in step.outputs:
        output.turn = number
    values.add_all(s, step.outputs)
    step.anchor = audit.append(s, turn, step.deeds)
    return number

"""The rows that everything is. Times are seconds since the epoch (UTC); `session` is an `Address` as text.

person ─< identity            who may write, and how each channel knows them
pairing                       codes shown to strangers
inbox ─> turn ─< message      what was taken, the turn that answers it, its recorded steps
              └< outbox       what is to be delivered, one row a piece
session                       one chat, topic or thread
provider_state, notice_state  rests and breakers; what a reader was last told of them
ledger                        one row for each call of a model
catalogue                     the models that a provider listed when it was last asked
job                           when each scheduled job ran and what came of it
reminder                      what a person wants to be told, or done, at its time
approval                      calls that wait for the owner's word
audit, audit_payload          the chain of what tools did, and what lies beside it
observation, fact_version     what conversations held of a person, and the facts that came of it
learning                      how tools failed
tool_output                   the whole of what a tool said
calibration                   how models count tokens
origin                        which files of the workspace hold words from outside
channel_state                 a channel's own notes: cursors, threads
group_chat                    groups into which somebody we know invited the bot
link_code                     codes by which a person brings another channel of theirs
preference                    what people chose for themselves
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, Enum, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from bot.safety.rules import Role


class InboxState(StrEnum):
    QUEUED = "queued"
    """Stored and not yet answered; run again after a restart."""
    HELD = "held"
    """Its turn waits for somebody's word; not run again at a restart."""
    DONE = "done"
    """Answered: its turn, and through it its outbox rows, are committed."""


class TurnState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    """For an approval: it holds no place and has no deadline, and goes on where it was."""
    DONE = "done"


class OutboxState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    """Claimed. Found so at start, the outcome of that send is unknown."""
    RELAYED = "relayed"
    """The channel's server took it; whether it arrives will be reported (the word is RFC 3464's, 2.3.3)."""
    SENT = "sent"
    REFUSED = "refused"
    MOVED = "moved"
    """Given up here after a day, and sent by another channel of the same person."""


def _one_of(states: type[StrEnum]) -> Column[Any]:
    """A text column that holds the members' values, so that the tables read well in any SQLite shell."""
    return Column(
        Enum(states, values_callable=lambda s: [m.value for m in s], native_enum=False), nullable=False
    )


class _Row(SQLModel):
    """What all rows are. Their validators, which rows of a table never use, would take 10 ms of each start."""

    model_config = {"defer_build": True}


class Person(_Row, table=True):
    name: str = Field(primary_key=True)
    role: Role = Field(sa_column=_one_of(Role))
    created_at: float


class Identity(_Row, table=True):
    """A pairing's result. Identities from the configuration are not stored."""

    channel: str = Field(primary_key=True)
    sender: str = Field(primary_key=True)
    person: str = Field(foreign_key="person.name", index=True)
    created_at: float


class Pairing(_Row, table=True):
    code: str = Field(primary_key=True)
    channel: str
    sender: str
    sender_name: str = ""
    chat: str
    thread: str = ""
    created_at: float
    expires_at: float

    __table_args__ = (UniqueConstraint("channel", "sender"),)


class Session(_Row, table=True):
    """One conversation with its own order. `model` is the user's strict choice; empty means automatic.

    Messages with an id up to `history_after` are no longer part of the context (`/new`).
    """

    key: str = Field(primary_key=True)
    channel: str
    chat: str
    thread: str = ""
    person: str = ""
    private: bool = True
    model: str = ""
    history_after: int = 0
    summary: str = ""
    """What stands for the messages with an id up to `summarised`, with the worst label of them."""
    summarised: int = 0
    summary_trust: str = "own"
    pinned: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Rules of the person for this conversation, kept word for word."""
    observed: int = 0
    """Messages with an id up to this were looked at for what is worth remembering."""
    created_at: float
    updated_at: float

    __table_args__ = (Index("session_of_person", "person", "updated_at"),)


class Inbox(_Row, table=True):
    """One message that was taken. (`channel`, `key`) is unique, so that a second delivery changes nothing."""

    id: int | None = Field(default=None, primary_key=True)
    channel: str
    key: str
    session: str
    person: str
    sender_name: str = ""
    text: str
    ref: str = ""
    more_follows: bool = False
    sent_at: float
    received_at: float
    state: InboxState = Field(default=InboxState.QUEUED, sa_column=_one_of(InboxState))
    turn: int | None = Field(default=None, foreign_key="turn.id", index=True)
    trust: str = "own"
    """own or untrusted: whose words the text is (`bot.safety.rules.Trust`)."""
    files: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What came with it (`bot.gateway.intake.Arrival`)."""
    quotes: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What it quotes or forwards: {"text", "source", "trust"}."""
    pending: bool = False
    """Its files are still being fetched; no turn takes it before."""
    attempts: int = 0
    """Restarts at which it may have been under way, so that a message that kills the daemon doesn't do so for ever."""

    __table_args__ = (UniqueConstraint("channel", "key"), Index("inbox_open", "state", "id"))


class Turn(_Row, table=True):
    """One answer in the making. Created with its first recorded step, or at its end where there was none before."""

    id: int | None = Field(default=None, primary_key=True)
    session: str = Field(index=True)
    person: str = ""
    state: TurnState = Field(default=TurnState.RUNNING, sa_column=_one_of(TurnState))
    outcome: str = ""
    route: str = ""
    preview: str = ""
    """Reference of the unfinished text that the channel shows; the final text replaces it."""
    path: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    """Every attempt of the turn's model calls."""
    started_at: float
    ended_at: float | None = None
    parent: int | None = Field(default=None, index=True)
    """The turn that handed this one its work; None for a person's own and for work in the background."""
    call: str = ""
    """The parent's call that it answers."""
    task: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What a worker was told (`bot.desk.Task`); None for a turn that answers a person."""

    __table_args__ = (Index("turn_open", "state", "id"),)


class Message(_Row, table=True):
    """One entry of a transcript: what the user wrote, each step of the model, each tool result, the answer."""

    id: int | None = Field(default=None, primary_key=True)
    session: str
    turn: int = Field(foreign_key="turn.id", index=True)
    role: str
    content: str = ""
    tool_calls: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    tool_call_id: str = ""
    thoughts: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What the model wants back with this message: {"provider", "model", "blocks"}."""
    trust: str = "own"
    """own or untrusted: whose words it holds (`bot.safety.rules.Trust`)."""
    kept: str = ""
    """Handle of the `tool_output` that holds the whole of what a tool said, or of what a person passed on."""
    images: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Paths of pictures below the workspace."""
    created_at: float

    __table_args__ = (Index("message_history", "session", "id"),)


class Outbox(_Row, table=True):
    """One piece to deliver. Rows of one session go out in the order of their ids."""

    id: int | None = Field(default=None, primary_key=True)
    session: str
    channel: str
    chat: str
    thread: str = ""
    turn: int | None = Field(default=None, foreign_key="turn.id", index=True)
    kind: str = "answer"
    """answer, notice, reply (of a command), question (to the owner) or message (by itself, as a reminder)."""
    text: str
    edits: str = ""
    reply_to: str = ""
    file: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """{"path", "name", "mime", "kind"}; the text is its caption then."""
    choices: list[dict[str, str]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Buttons: {"label", "says"}."""
    state: OutboxState = Field(default=OutboxState.QUEUED, sa_column=_one_of(OutboxState))
    attempts: int = 0
    doubtful: int = 0
    """Sends whose outcome is unknown; from the first on, the next is marked as a possible repeat."""
    not_before: float = 0.0
    error: str = ""
    receipt: str = ""
    created_at: float
    sent_at: float | None = None

    __table_args__ = (Index("outbox_open", "state", "id"), Index("outbox_receipt", "channel", "receipt"))


class ProviderState(_Row, table=True):
    __tablename__ = "provider_state"

    scope: str = Field(primary_key=True)
    state: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    updated_at: float


class NoticeState(_Row, table=True):
    """What the readers of a session were last told about a route; no row: nothing is wrong as far as they know."""

    __tablename__ = "notice_state"

    session: str = Field(primary_key=True)
    shown: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    updated_at: float


class Ledger(_Row, table=True):
    """One call of a model. A row whose `outcome` is empty is reserved: its call had not ended when it was written."""

    id: int | None = Field(default=None, primary_key=True)
    at: float
    role: str = ""
    session: str = ""
    provider: str
    model: str
    paid: bool = False
    """Whether it counts towards the caps of `[limits]`."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = None
    """None where no price is known."""
    seconds: float = 0.0
    outcome: str = ""
    """answered, cancelled, or the name of a class in `providers.errors`."""

    __table_args__ = (Index("ledger_at", "at"),)


class Catalogue(_Row, table=True):
    provider: str = Field(primary_key=True)
    models: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    etag: str = ""
    fetched_at: float


class Job(_Row, table=True):
    """A scheduled job of `bot/jobs`, by the name of its module."""

    name: str = Field(primary_key=True)
    due_at: float
    """For when it was last due, at first when it became known: what is due next follows from this and its trigger."""
    last_run: float | None = None
    """When it last began."""
    ended_at: float | None = None
    outcome: str = ""
    """What its last run said it did, or why it failed."""
    failed: bool = False
    paused: bool = False


class Reminder(_Row, table=True):
    """Something to tell a person, or a task to do, at its time, in the session where it was set. At most one of `every`
    and `cron` is set; with neither it is due once.
    """

    id: int | None = Field(default=None, primary_key=True)
    person: str = Field(index=True)
    session: str
    text: str
    task: bool = False
    """Whether it is for the assistant to do, with tools, rather than to be told to the person."""
    trust: str = "own"
    """own or untrusted: whose words the text is (`bot.safety.rules.Trust`)."""
    every: int = 0
    """Seconds."""
    cron: str = ""
    due_at: float | None = Field(default=None, index=True)
    """When it is due next; None: it was, for the last time."""
    fired_at: float | None = None
    """When it last was."""
    since: float
    """From when on it counts."""


class Origin(_Row, table=True):
    """A file of the workspace that holds words from outside."""

    path: str = Field(primary_key=True)
    at: float


class ApprovalState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


class Approval(_Row, table=True):
    """One call that waits for the owner's word. It is bound to the exact call by `digest`, and used up once run."""

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(unique=True)
    session: str
    """Where it is asked for; its turn goes on there."""
    turn: int = Field(foreign_key="turn.id", index=True)
    call: str
    tool: str
    digest: str
    """Of tool and arguments: what is run after a yes is exactly what was shown."""
    reason: str
    asked_of: str
    """The person who decides."""
    state: ApprovalState = Field(default=ApprovalState.PENDING, sa_column=_one_of(ApprovalState))
    asked_at: float
    expires_at: float
    decided_at: float | None = None
    decided_by: str = ""
    used_at: float | None = None
    """When its turn went on. A yes is good for one call, once."""

    __table_args__ = (Index("approval_open", "state", "expires_at"),)


class Audit(_Row, table=True):
    """One link of the audit log's chain (`bot.safety.audit.Entry`); never changed, never deleted."""

    id: int | None = Field(default=None, primary_key=True)
    at: float
    session: str = Field(index=True)
    turn: int = Field(index=True)
    person: str
    model: str
    tool: str
    trust: str
    verdict: str
    ok: bool
    seconds: float
    arguments: str
    """Digest of what lies in `audit_payload`, as `result`."""
    result: str
    digest: str


class AuditPayload(_Row, table=True):
    """What a call held and returned. May be erased; the chain stays whole."""

    __tablename__ = "audit_payload"

    id: int | None = Field(default=None, primary_key=True)
    arguments: str
    result: str


class FactVersion(_Row, table=True):
    """A file of facts as it was after a change; `owner` is a person or "@household"."""

    __tablename__ = "fact_version"

    id: int | None = Field(default=None, primary_key=True)
    owner: str = Field(index=True)
    text: str
    why: str
    at: float


class Observation(_Row, table=True):
    """What a finished conversation held of its person: what facts are distilled from."""

    id: int | None = Field(default=None, primary_key=True)
    person: str = Field(index=True)
    session: str
    text: str
    at: float
    reflected_at: float | None = None
    tries: int = 0
    """Unusable replies to it."""


class Learning(_Row, table=True):
    """How a tool failed, and how often."""

    id: int | None = Field(default=None, primary_key=True)
    tool: str
    text: str
    count: int = 0
    at: float

    __table_args__ = (UniqueConstraint("tool", "text"),)


class ToolOutput(_Row, table=True):
    """The whole of what a tool said, where the conversation shows a part of it or nothing."""

    __tablename__ = "tool_output"

    handle: str = Field(primary_key=True)
    session: str = Field(index=True)
    turn: int
    tool: str
    text: str
    trust: str
    at: float


class Calibration(_Row, table=True):
    """How many tokens a model counts for one that we estimate."""

    route: str = Field(primary_key=True)
    factor: float
    at: float


class EnabledSkill(_Row, table=True):
    """The owner's yes to a skill, bound to what its folder held by `digest`."""

    __tablename__ = "skill"

    name: str = Field(primary_key=True)
    digest: str
    enabled_at: float
    enabled_by: str


class ChannelState(_Row, table=True):
    """One of a channel's own notes (`channels.base.Store`)."""

    __tablename__ = "channel_state"

    channel: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    value: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    updated_at: float


class GroupChat(_Row, table=True):
    """A group into which somebody we know invited the bot; in others it is silent."""

    __tablename__ = "group_chat"

    channel: str = Field(primary_key=True)
    chat: str = Field(primary_key=True)
    invited_by: str
    at: float


class LinkCode(_Row, table=True):
    """Shown to a person where we know them; whoever sends it from elsewhere is the same person."""

    __tablename__ = "link_code"

    code: str = Field(primary_key=True)
    person: str = Field(index=True)
    created_at: float
    expires_at: float


class Preference(_Row, table=True):
    """What a person chose for themselves, beside the configuration."""

    person: str = Field(primary_key=True)
    language: str = ""
    """The language that they want to be answered in, in their own words; empty: the one they write in."""

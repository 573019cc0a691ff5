"""What a tool is given: the turn it runs in (`ToolContext`), and what the program lends it (`Desk`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.config import Config
from bot.memory.memory import Memory
from bot.purse import Purse
from bot.safety.rules import Act, Situation, Trust
from bot.safety.sandbox import Sandbox
from bot.safety.words import stands_in
from bot.skills.shelf import Skills
from bot.storage.database import Database
from providers.types import ToolCall


class ToolError(Exception):
    """Tells the model in one line what went wrong and what would work."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a tool says. `trust` is whose words it holds; a plain string stands for its owner's."""

    text: str
    trust: Trust = Trust.OWN


@dataclass(frozen=True, slots=True)
class Task:
    """Work handed to another model: what to do, what to know for it, and what to hand back.

    `profile` names a file of `workspace/agents`. `depth` counts how often it was handed on already. `words` is what
    the person wrote, `trust` the worst label of what the task was made from.
    """

    task: str
    context: str = ""
    expected: str = ""
    profile: str = ""
    depth: int = 0
    words: tuple[str, ...] = ()
    trust: Trust = Trust.OWN


class Workers(Protocol):
    """Other models that do work on their own."""

    async def delegate(self, context: ToolContext, task: Task) -> Output:
        """Have it done while this turn waits; returns the worker's result. Raises ToolError."""
        ...

    async def spawn(self, context: ToolContext, task: Task) -> str:
        """Have it done in the background; the result comes into the session. Returns its name. Raises ToolError."""
        ...

    async def running(self, session: str) -> Output:
        """One line for each task in the background of this session; "" for none."""
        ...

    async def cancel(self, session: str, name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A file that goes with a message: what the reader's program shall call it, and its bytes."""

    name: str
    content: bytes = field(repr=False)


class Post(Protocol):
    """The way to people, outside of answers."""

    async def channels(self, person: str) -> Sequence[str]:
        """The channels on which this person has a private chat, the last used first."""
        ...

    def people(self) -> Sequence[str]:
        """The names of all who may write to us."""
        ...

    async def send(self, person: str, text: str, channel: str = "", file: Enclosed | None = None) -> str:
        """Write to a person; returns the channel it goes by. Raises ToolError where there is no chat to write to, or it
        doesn't take the file.
        """
        ...

    async def into(self, session: str, text: str, file: Enclosed) -> None:
        """Send a file into a chat. Raises ToolError where its channel doesn't take it."""
        ...


class Alarm(Protocol):
    def wake(self) -> None:
        """Something new may be due earlier than what was known."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    database: Database
    memory: Memory
    workers: Workers
    post: Post
    alarm: Alarm
    sandbox: Sandbox
    redact: Callable[[str], str]
    """Leaves the values of our secrets out of a text."""
    skills: Skills


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of the turn it runs in.

    `words` are what the person wrote in this turn, `heard` the calls in it with what came of them. `act` is what was
    allowed: a tool must not do more. `call` is the call's id, `depth` how often the work was handed on, `purse` what is
    left for it.
    """

    workspace: Path
    person: str
    clock: Callable[[], float]
    config: Config = field(default_factory=Config)
    situation: Situation = field(default_factory=Situation)
    session: str = ""
    turn: int = 0
    call: str = ""
    depth: int = 0
    act: Act = Act.LOOK
    words: tuple[str, ...] = ()
    heard: tuple[tuple[ToolCall, str], ...] = ()
    lent: Desk | None = None
    purse: Purse = field(default_factory=Purse)

    def said(self, text: str) -> bool:
        """Whether it stands word for word in what the person wrote."""
        return stands_in(text, self.words)

    @property
    def desk(self) -> Desk:
        """What the program lends; only tests of tools that need nothing go without."""
        assert self.lent is not None  # noqa: S101 -- every turn has one
        return self.lent

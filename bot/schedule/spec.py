"""What a file in `bot/jobs` exports, and what its job is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.core import Core
from bot.storage.tables import Outbox


@dataclass(frozen=True, slots=True)
class Every:
    """Again so many seconds after the last time it was due; the phase stays when a run is late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cron:
    """At the times that five cron fields name, by this machine's clock."""

    fields: str


Trigger = Every | Cron


@dataclass(frozen=True, slots=True)
class JobContext:
    """`core` is the current one. `tell_owner` writes to the owner where they prefer it, durably, and is false where
    they have no chat but the terminal; `send` has rows of the outbox sent that a transaction of the job's own stored.
    """

    core: Core
    tell_owner: Callable[[str], Awaitable[bool]]
    send: Callable[[Sequence[Outbox]], None]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """`run` returns one line on what it did, "" where there was nothing to do; it raises what went wrong.

    `at_start`: whether it also runs when the daemon starts, whatever its trigger says. `limit`: the seconds after
    which it is cut off, which counts as a failure. `on_request`: it runs only where `[jobs.<name>]` stands in the
    configuration.
    """

    help: str
    trigger: Trigger
    run: Callable[[JobContext], Awaitable[str]]
    at_start: bool = False
    limit: float = 600.0
    on_request: bool = False

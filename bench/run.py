"""One run: both bots by turns, round after round, so that what drifts on the machine drifts for both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench import messages, processes, rivals, stored
from bench.client import Overhead, overheads
from bench.contest import FAILING, MODEL
from bench.disk import commit_milliseconds
from bench.messages import Burst, Series, Start
from bench.processes import Memory
from bench.stored import Stored
from bench.subject import Subject, subjects
from tests.fakes.llm.process import llm_process

_LAST = 20
_WARM_UP = 10
"""Messages before the first round: what is imported or connected late is so by then."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `starts`, `rounds`, `bursts` and `call_rounds` count rounds, in which all have a turn."""

    starts: int = 7
    rounds: int = 20
    messages: int = 50
    bursts: int = 7
    burst_messages: int = 200
    burst_chats: int = 50
    chat_messages: int = 250
    call_rounds: int = 10
    calls: int = 30
    stored: tuple[int, int] = (1_000, 1_000_000)
    """Stored messages, between which a turn's cost should not differ."""
    stored_rounds: int = 10
    stored_messages: int = 30
    settle: float = 2.0
    """Seconds of rest before memory is read."""


@dataclass(slots=True)
class Seen:
    """What was seen of one bot, round by round."""

    subject: Subject
    starts: list[Start] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    """Two entries: idle, and after all series."""
    long_chat: list[float] = field(default_factory=list)
    """Milliseconds of single messages, those at the end of a long chat."""


@dataclass(frozen=True, slots=True)
class Results:
    """`commit` is what a durable commit takes on this disk, in milliseconds; `stored` is the daemon over a short and a
    long past.
    """

    floor: Seen
    daemon: Seen
    stored: Sequence[Stored]
    calls: Sequence[Overhead]
    commit: float


async def measure(plan: Plan, folder: Path) -> Results:
    """Everything, once. Raises AssertionError, TimeoutError or OSError where something can't be run."""
    async with llm_process() as llm, subjects(folder, llm) as (floor, daemon):
        both = (Seen(floor), Seen(daemon))
        await _starts(plan, both)
        await _messages(plan, both)
    past = await over_the_past(plan, folder)
    return Results(*both, past, await calls(plan), commit_milliseconds(folder))


async def over_the_past(plan: Plan, folder: Path) -> list[Stored]:
    """Only the daemon, over few and over many stored messages."""
    async with llm_process() as llm, stored.daemons(folder, llm, plan.stored) as both:
        await stored.measure(both, plan.stored_rounds, plan.stored_messages)
    return both


async def calls(plan: Plan) -> list[Overhead]:
    """Only calls of models, with everybody who is installed here."""
    async with llm_process("--model", MODEL, "--model", FAILING) as llm:
        return await overheads(llm, list(rivals.installed()), plan.call_rounds, plan.calls)


async def _starts(plan: Plan, both: Sequence[Seen]) -> None:
    for seen in both:
        await messages.start(seen.subject)  # compiles the modules, makes the database: not counted
    for seen in _by_turns(both, plan.starts):
        seen.starts.append(await messages.start(seen.subject))


async def _messages(plan: Plan, both: Sequence[Seen]) -> None:
    for seen in both:
        await seen.subject.start()
    await _weigh(plan, both)
    for seen in both:
        await messages.series(seen.subject, _WARM_UP, count())
    chats = {seen.subject.name: count() for seen in both}
    for seen in _by_turns(both, plan.rounds):
        seen.series.append(await messages.series(seen.subject, plan.messages, chats[seen.subject.name]))
    await _weigh(plan, both)
    for seen in _by_turns(both, plan.bursts):
        seen.bursts.append(await messages.burst(seen.subject, plan.burst_messages, plan.burst_chats))
    for seen in both:
        seen.long_chat += await messages.long_chat(seen.subject, plan.chat_messages, _LAST)
        await seen.subject.stop()


async def _weigh(plan: Plan, both: Sequence[Seen]) -> None:
    await asyncio.sleep(plan.settle)
    for seen in both:
        seen.memory.append(processes.memory(seen.subject.session))


def _by_turns(both: Sequence[Seen], rounds: int) -> Iterator[Seen]:
    """Each once a round; who goes first changes from round to round."""
    for number in range(rounds):
        yield from both if number % 2 == 0 else reversed(both)

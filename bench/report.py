"""From raw figures to a table: medians of rounds with their span, ratios, and whether each aim is met. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.client import BARE, OURS, Overhead
from bench.contest import FEW_PIECES
from bench.run import Plan, Results, Seen
from bench.stored import Stored

CALL_AIM = 1.0
"""Milliseconds that a call may cost over bare httpx."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure, with a value for every round.

    The daemon's median may be `aim` times the floor's, or with `over` at most `aim` units above it.
    """

    name: str
    unit: str
    floor: Sequence[float]
    daemon: Sequence[float]
    aim: float | None = None
    over: bool = False

    @property
    def result(self) -> float:
        """The ratio of the medians, or with `over` their difference."""
        floor, daemon = median(self.floor), median(self.daemon)
        return daemon - floor if self.over else daemon / floor

    @property
    def met(self) -> bool | None:
        return None if self.aim is None else self.result <= self.aim

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "result": self.result, "met": self.met}


def rows(plan: Plan, results: Results) -> Iterator[Row]:
    """Every measure, with its aim where the design has one."""

    def row(name: str, unit: str, of: Callable[[Seen], Sequence[float]], aim: float | None = None) -> Row:
        return Row(name, unit, of(results.floor), of(results.daemon), aim)

    done = f"{plan.rounds * plan.messages:,} messages"
    burst = f"{plan.burst_messages} messages from {plan.burst_chats} chats"
    yield row("one message, end to end", "ms", lambda seen: [median(s.latencies) for s in seen.series], 2)
    yield row("processor time a message", "ms", lambda seen: [s.processor for s in seen.series], 2.5)
    yield row(f"the last of {plan.chat_messages} in one chat", "ms", lambda seen: seen.long_chat)
    yield row("ready", "s", lambda seen: [s.ready for s in seen.starts], 2)
    yield row("a waiting message answered", "s", lambda seen: [s.answered for s in seen.starts])
    yield row("memory, idle", "MB", lambda seen: [seen.memory[0].resident], 1.8)
    yield row(f"memory, after {done}", "MB", lambda seen: [seen.memory[1].resident], 1.8)
    yield row("its share of memory (PSS), then", "MB", lambda seen: [seen.memory[1].proportional])
    yield row(burst, "s", lambda seen: [b.seconds for b in seen.bursts], 2)


def stored_rows(both: Sequence[Stored]) -> Iterator[Row]:
    """What a turn costs over a long past against a short one: nothing more, if it does not grow with the database."""

    def row(name: str, unit: str, of: Callable[[Stored], Sequence[float]], aim: float | None = None) -> Row:
        return Row(name, unit, of(both[0]), of(both[1]), aim)

    yield row("a turn in a new chat", "ms", lambda seen: [median(s.latencies) for s in seen.series], 1.1)
    yield row("processor time, new chat", "ms", lambda seen: [s.processor for s in seen.series], 1.1)
    yield row("a turn in a long chat", "ms", lambda seen: [median(s.latencies) for s in seen.long_chat], 1.1)
    yield row("processor time, long chat", "ms", lambda seen: [s.processor for s in seen.long_chat], 1.1)
    yield row("ready", "s", lambda seen: [s.ready for s in seen.starts])


def table(measures: Sequence[Row]) -> str:
    """Aligned columns; each figure is the rounds' median, with the least and the greatest behind it."""
    head = ("", "floor", "nanobot", "", "aim", "")
    return _in_columns([head, *(_cells(row) for row in measures)])


def stored_table(both: Sequence[Stored]) -> str:
    """As `table`, the daemon over few and over many stored messages."""
    few, many = (f"{seen.messages:,}" for seen in both)
    head = ("with so many stored messages", few, many, "", "aim", "")
    return _in_columns([head, *(_cells(row) for row in stored_rows(both))])


def call_table(calls: Sequence[Overhead]) -> str:
    """What a model call costs: bare httpx, and in milliseconds over it everybody else, with the calls made in vain."""
    names = [name for name in calls[0].times if name not in (BARE, OURS)]
    head = ("a model call, when", BARE, OURS, "aim", "", *names)
    return _in_columns([head, *(_call_cells(call, names) for call in calls)])


def call_json(calls: Sequence[Overhead]) -> list[dict[str, Any]]:
    return [{**asdict(call), "over": {name: call.over(name) for name in call.times}} for call in calls]


def _call_cells(call: Overhead, rivals: Sequence[str]) -> tuple[str, ...]:
    met = call.over(OURS) <= CALL_AIM
    verdict = (
        ("", "") if call.scenario.pieces > FEW_PIECES else (f"{CALL_AIM:g} ms", "met" if met else "missed")
    )
    return (
        call.scenario.name,
        _figure(call.times[BARE], "ms"),
        _over(call, OURS),
        *verdict,
        *(_over(call, name) for name in rivals),
    )


def _over(call: Overhead, name: str) -> str:
    needed = 0 if call.scenario.rests else call.scenario.failing
    vain = call.vain[name] - needed
    over = call.over(name)
    return f"{'-' if over < 0 else '+'}{_number(abs(over))} ms" + (f", {vain:g} in vain" if vain else "")


def _in_columns(cells: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(_aligned(line, widths) for line in cells)


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {None: "", True: "met", False: "missed"}[row.met]
    result = f"{row.result:+.2f} {row.unit}" if row.over else f"{row.result:.2f} x"
    aim = "" if row.aim is None else f"{row.aim:g} {row.unit if row.over else 'x'}"
    return row.name, _figure(row.floor, row.unit), _figure(row.daemon, row.unit), result, aim, verdict


def _figure(values: Sequence[float], unit: str) -> str:
    middle, least, most = (_number(value) for value in (median(values), min(values), max(values)))
    return f"{middle} {unit}" + (f" ({least}-{most})" if len(values) > 1 else "")


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    name, *others = line
    return "  ".join([name.ljust(widths[0]), *map(str.rjust, others, widths[1:])]).rstrip()

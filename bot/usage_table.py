"""The report of `bot.usage` as text: tables for a terminal, lines that a phone is wide enough for in a chat. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from providers.money import dollars

By = Literal["", "role", "model", "day"]

_TITLES = {"role": "by role, this month", "model": "by model, this month", "day": "by day"}
_HEAD = ("calls", "tokens in", "cached", "tokens out", "money")
_MOST_ROWS = 31
_MOST_LINES = 6
_NO_LIMITS = "No limits: [limits] in the configuration sets them."


def render(report: Mapping[str, Any], by: By = "") -> str:
    """Everything, or one table."""
    if by:
        return "\n".join(_table(report, by))
    parts = [_periods(report), list(_caps(report))]
    parts += [_table(report, name) for name in ("role", "model") if report[f"by_{name}"]]
    return "\n\n".join("\n".join(part) for part in (*parts, _unpriced(report)) if part)


def listed(report: Mapping[str, Any]) -> str:
    """Everything, in Markdown without a table."""
    parts = [
        [f"{title}: {_summed(report[key])}" for title, key in (("Today", "today"), ("This month", "month"))],
        [f"- {line}" for line in _limits(report["caps"])] or [_NO_LIMITS],
    ]
    for name in ("role", "model"):
        lines = [f"- {one['name'] or 'other'}: {_money(one)}" for one in report[f"by_{name}"]]
        more = [f"- and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
        parts.append([f"{_TITLES[name].capitalize()}:", *lines[:_MOST_LINES], *more] if lines else [])
    return "\n\n".join("\n".join(part) for part in (*parts, _unpriced(report)) if part)


def brief(report: Mapping[str, Any]) -> str:
    """One line for the status."""
    spent = f"{dollars(report['today_usd'])} today, {dollars(report['month_usd'])} this month"
    caps = ", ".join(_left(cap) for cap in report["caps"]) or "no limits"
    return f"{spent}; {caps}"


def own(report: Mapping[str, Any]) -> str:
    """What a person's own chats came to, without the money: that is the owner's."""
    lines = [
        f"{title}: {_calls(one)}; {_tokens(one)}."
        for title, one in (("Today", report["today"]), ("This month", report["month"]))
    ]
    return "\n".join(["For you:", *lines])


def _summed(one: Mapping[str, Any]) -> str:
    return f"{_money(one)}; {_tokens(one)}."


def _money(one: Mapping[str, Any]) -> str:
    return f"{dollars(one['usd'])} for {_calls(one)}"


def _calls(one: Mapping[str, Any]) -> str:
    return f"{one['calls']:,} call{'s' if one['calls'] != 1 else ''}"


def _tokens(one: Mapping[str, Any]) -> str:
    return f"{one['prompt_tokens']:,} tokens read, {one['completion_tokens']:,} written"


def _unpriced(report: Mapping[str, Any]) -> list[str]:
    unpriced = report["month"]["unpriced"]
    return [f"{unpriced} calls of models without a known price are not in the money."] if unpriced else []


def _periods(report: Mapping[str, Any]) -> list[str]:
    rows: list[tuple[str, ...]] = [("", *_HEAD)]
    rows += [(title, *_cells(report[key])) for title, key in (("today", "today"), ("this month", "month"))]
    return _aligned(rows)


def _table(report: Mapping[str, Any], by: Literal["role", "model", "day"]) -> list[str]:
    sums: Sequence[Mapping[str, Any]] = report[f"by_{by}"]
    rows: list[tuple[str, ...]] = [(_TITLES[by], *_HEAD)]
    rows += [(one["name"] or "other", *_cells(one)) for one in sums[:_MOST_ROWS]]
    more = [f"and {len(sums) - _MOST_ROWS} more"] if len(sums) > _MOST_ROWS else []
    return [*_aligned(rows), *more] if sums else [f"{_TITLES[by]}: nothing yet"]


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    counts = (one["calls"], one["prompt_tokens"], one["cached_tokens"], one["completion_tokens"])
    return (*(f"{count:,}" for count in counts), dollars(one["usd"]))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        first, *numbers = row
        cells = (f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True))
        return "  ".join((f"{first:{widths[0]}}", *cells)).rstrip()

    return [line(row) for row in rows]


def _caps(report: Mapping[str, Any]) -> Iterator[str]:
    caps = report["caps"]
    if not caps:
        yield _NO_LIMITS
        return
    names = [_limit(cap) for cap in caps]
    used = [_number(cap, cap["spent"]) for cap in caps]
    left = [_number(cap, cap["left"]) for cap in caps]
    widths = [max(map(len, column)) for column in (names, used, left)]
    for cap, name, spent, rest in zip(caps, names, used, left, strict=True):
        yield f"{name:{widths[0]}}  {spent:>{widths[1]}} spent, {rest:>{widths[2]}} left{_state(cap)}"


def _limits(caps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for cap in caps:
        yield f"{_limit(cap)}: {_number(cap, cap['left'])} left{_state(cap)}"


def _state(cap: Mapping[str, Any]) -> str:
    until = time.strftime("%d %b %H:%M", time.localtime(cap["until"]))
    return f"; models that cost money rest until {until}" if cap["level"] == "reached" else f", until {until}"


def _left(cap: Mapping[str, Any]) -> str:
    reached = " (reached)" if cap["level"] == "reached" else ""
    return f"{_number(cap, cap['left'])} left of {_limit(cap)}{reached}"


def _limit(cap: Mapping[str, Any]) -> str:
    whose = f" for {cap['role']}" if cap["role"] else ""
    return f"{_amount(cap, cap['most'])} a {cap['period']}{whose}"


def _number(cap: Mapping[str, Any], value: float) -> str:
    return dollars(value) if cap["unit"] == "usd" else f"{value:,.0f}"


def _amount(cap: Mapping[str, Any], value: float) -> str:
    return dollars(value) if cap["unit"] == "usd" else f"{value:,.0f} tokens"

"""The report of `bot.usage` as lines of text: for a terminal and, in a fixed-width block, for a chat. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from providers.money import dollars

By = Literal["", "role", "model", "day"]

_TITLES = {"role": "by role, this month", "model": "by model, this month", "day": "by day"}
_HEAD = ("calls", "tokens in", "cached", "tokens out", "money")
_MOST_ROWS = 31


def render(report: Mapping[str, Any], by: By = "", *, most: int = _MOST_ROWS) -> str:
    """Everything, or one table; of each table at most so many rows."""
    if by:
        return "\n".join(_table(report, by, most))
    parts = [_periods(report), list(_caps(report))]
    parts += [_table(report, name, most) for name in ("role", "model") if report[f"by_{name}"]]
    unpriced = report["month"]["unpriced"]
    if unpriced:
        parts.append([f"{unpriced} calls of models without a known price are not in the money."])
    return "\n\n".join("\n".join(part) for part in parts if part)


def brief(report: Mapping[str, Any]) -> str:
    """One line for the status."""
    spent = f"{dollars(report['today_usd'])} today, {dollars(report['month_usd'])} this month"
    caps = ", ".join(_left(cap) for cap in report["caps"]) or "no limits"
    return f"{spent}; {caps}"


def own(report: Mapping[str, Any]) -> str:
    """What a person's own chats came to, without the money: that is the owner's."""
    lines = [
        f"{title}: models were asked {one['calls']:,} times, and read {one['prompt_tokens']:,} tokens and wrote "
        f"{one['completion_tokens']:,}."
        for title, one in (("Today", report["today"]), ("This month", report["month"]))
    ]
    return "\n".join(["For you:", *lines])


def _periods(report: Mapping[str, Any]) -> list[str]:
    rows: list[tuple[str, ...]] = [("", *_HEAD)]
    rows += [(title, *_cells(report[key])) for title, key in (("today", "today"), ("this month", "month"))]
    return _aligned(rows)


def _table(report: Mapping[str, Any], by: Literal["role", "model", "day"], most: int) -> list[str]:
    sums: Sequence[Mapping[str, Any]] = report[f"by_{by}"]
    rows: list[tuple[str, ...]] = [(_TITLES[by], *_HEAD)]
    rows += [(one["name"] or "other", *_cells(one)) for one in sums[:most]]
    more = [f"and {len(sums) - most} more"] if len(sums) > most else []
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
        yield "No limits: [limits] in the configuration sets them."
        return
    names = [f"{_amount(cap, cap['most'])} a {cap['period']}{_whose(cap)}" for cap in caps]
    used = [_number(cap, cap["spent"]) for cap in caps]
    left = [_number(cap, cap["left"]) for cap in caps]
    widths = [max(map(len, column)) for column in (names, used, left)]
    for cap, name, spent, rest in zip(caps, names, used, left, strict=True):
        until = time.strftime("%d %b %H:%M", time.localtime(cap["until"]))
        state = f", until {until}"
        if cap["level"] == "reached":
            state = f"; models that cost money rest until {until}"
        yield f"{name:{widths[0]}}  {spent:>{widths[1]}} spent, {rest:>{widths[2]}} left{state}"


def _left(cap: Mapping[str, Any]) -> str:
    reached = " (reached)" if cap["level"] == "reached" else ""
    return f"{_number(cap, cap['left'])} left of {_amount(cap, cap['most'])} a {cap['period']}{_whose(cap)}{reached}"


def _whose(cap: Mapping[str, Any]) -> str:
    return f" for {cap['role']}" if cap["role"] else ""


def _number(cap: Mapping[str, Any], value: float) -> str:
    return dollars(value) if cap["unit"] == "usd" else f"{value:,.0f}"


def _amount(cap: Mapping[str, Any], value: float) -> str:
    return dollars(value) if cap["unit"] == "usd" else f"{value:,.0f} tokens"

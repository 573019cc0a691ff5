"""`nanobot models`: what can be asked now."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.cli.options import Options
from bot.cli.output import harmless
from bot.cli.reach import reaching

_HEADINGS = ("model", "window", "can", "tier", "price", "for", "")
_PRICE_NOTE = "Prices are US dollars for a million tokens, in/out."


async def gather(options: Options, provider: str, *, free: bool) -> dict[str, Any]:
    """What `nanobot models --json` prints: from the bot that runs, else from one opened here. Raises BotError."""
    async with reaching(options) as client:
        return await client.models(provider, free=free)


def render(found: Mapping[str, Any], now: float) -> str:
    """A table for a person, the providers one after the other."""
    models: Sequence[Mapping[str, Any]] = found["models"]
    if not models:
        return "No model; `nanobot init` or `nanobot login openrouter` gets one."
    rows = [_HEADINGS, *(_cells(model, now) for model in models)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    lines = [_line(_HEADINGS, widths)]
    for provider, cells in _by_provider(models, rows[1:]):
        lines += ["", provider, *(_line(row, widths) for row in cells)]
        if more := found.get("hidden", {}).get(provider):
            lines.append(f"  and {more} more: nanobot models {provider}")
    lines += ["", _PRICE_NOTE] if any(model.get("price") for model in models) else []
    return harmless("\n".join(lines))


def _cells(model: Mapping[str, Any], now: float) -> tuple[str, ...]:
    return (
        f"  {model['id'] or '(whichever it serves)'}",
        _window(model.get("context_window")),
        " ".join(name for name in ("tools", "vision", "thinks") if model.get(name)),
        str(model.get("tier", "")),
        _price(model),
        ", ".join(model.get("roles", ())),
        _state(model, now),
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    *cells, last = row
    # Numbers stand under each other at their right end.
    fitted = (
        f"{cell:>{w}}" if n == 1 else f"{cell:{w}}"
        for n, (cell, w) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((*fitted, last)).rstrip()


def _by_provider(
    models: Iterable[Mapping[str, Any]], rows: Iterable[tuple[str, ...]]
) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    by: dict[str, list[tuple[str, ...]]] = {}
    for model, row in zip(models, rows, strict=True):
        by.setdefault(model["provider"], []).append(row)
    yield from by.items()


def _window(tokens: int | None) -> str:
    if tokens is None:
        return "?"
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.1f}".removesuffix(".0") + "M"
    return f"{tokens // 1000}k" if tokens >= 1000 else str(tokens)


def _price(model: Mapping[str, Any]) -> str:
    if model.get("free"):
        return "free"
    price = model.get("price")
    return f"{_dollars(price['prompt'])}/{_dollars(price['completion'])}" if price else "?"


def _dollars(amount: float) -> str:
    return f"{amount:.2f}" if amount >= 0.01 or amount == 0 else f"{amount:.4f}"


def _state(model: Mapping[str, Any], now: float) -> str:
    if model.get("state") == "ready":
        return ""
    until = f" until {_clock(model['until'], now)}" if model.get("until") else ""
    reason = f": {model['reason']}" if model.get("reason") else ""
    return f"{model.get('state')}{until}{reason}"


def _clock(at: float, now: float) -> str:
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%d %b %H:%M", then)

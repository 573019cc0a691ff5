"""Tokens and minutes to dollars, and dollars to words. Pure."""

from __future__ import annotations

from providers.types import Price, Usage

MILLION = 1_000_000
WRITING = 1.25
"""What prompt tokens that are written to a cache cost, for each that is not: Anthropic's page "Pricing"."""
DUST = 1e-9
"""Dollars that are rounding errors."""


def cost(price: Price | None, usage: Usage) -> float | None:
    """US dollars: what the server says, else by the price; None where neither is known."""
    if usage.usd is not None:
        return usage.usd
    if price is None:
        return None
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    fresh = usage.prompt_tokens - cached
    written = min(usage.written_tokens, fresh)
    reading = price.prompt if price.cached is None else price.cached
    prompt = (fresh - written + written * WRITING) * price.prompt + cached * reading
    sound = usage.seconds / 60 * price.minute
    return (prompt + usage.completion_tokens * price.completion) / MILLION + sound


def dollars(amount: float) -> str:
    """For a person: $12.50, and $0.0031 where there is little."""
    if amount >= 0.1 or amount < DUST:
        return f"${max(amount, 0.0):.2f}"
    whole, _, part = f"{amount:.4f}".partition(".")
    return f"${whole}.{part[:2]}{part[2:].rstrip('0')}" if float(f"{whole}.{part}") else "under $0.0001"

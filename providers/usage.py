"""The tokens of an answer as servers of OpenAI's chat protocol count them: much alike, each with extras. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from providers.calls import counted
from providers.types import Usage


def usage_of(usage: Mapping[str, Any]) -> Usage:
    """The `usage` object of an answer.

    Cached tokens stand in the details, or in a field of their own (DeepSeek). Google's totals hold the thoughts,
    its completion tokens don't. OpenRouter tells the cost in dollars; with a key of one's own (`is_byok`), what its
    upstream charges comes on top.
    """
    prompt, completion = counted(usage.get("prompt_tokens")), counted(usage.get("completion_tokens"))
    thought = counted(_detail(usage, "completion_tokens_details", "reasoning_tokens"))
    total = counted(usage.get("total_tokens"))
    return Usage(
        prompt,
        max(completion, total - prompt) if prompt else completion,
        counted(
            _detail(usage, "prompt_tokens_details", "cached_tokens")
            or usage.get("prompt_cache_hit_tokens")
            or usage.get("cached_tokens")
        ),
        thought,
        _cost(usage),
    )


def _cost(usage: Mapping[str, Any]) -> float | None:
    cost = _dollars(usage.get("cost"))
    if cost is not None and usage.get("is_byok") is True:
        cost += _dollars(_detail(usage, "cost_details", "upstream_inference_cost")) or 0.0
    return cost


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _detail(usage: Mapping[str, Any], group: str, name: str) -> object:
    details = usage.get(group)
    return details.get(name) if isinstance(details, Mapping) else None

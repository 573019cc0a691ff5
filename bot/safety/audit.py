"""What was done by tools, who asked for it and on whose words: the entries of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.safety.rules import Trust, Verdict


@dataclass(frozen=True, slots=True)
class Deed:
    """One call of a tool. `model` is who made it, `trust` the worst label in the context that led to it."""

    at: float
    model: str
    tool: str
    arguments: Mapping[str, Any]
    trust: Trust
    verdict: Verdict
    ok: bool
    result: str
    seconds: float

"""What is asked of everybody who takes part in the contest of model calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

MODEL = "fake-1"
FAILING = "failing"
"""A model of the same stand-in that refuses every call, with status 429."""
FEW_PIECES = 4
"""In which an answer comes unless the scenario is about streaming."""

Ask = Callable[[], Awaitable[None]]
"""One call through the chain, its answer read to the end."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A chain: so many that fail, then so many that are well. `rests`: those that fail are known to, and may be
    passed over. `pieces`: how many the answer is streamed in, without a pause between them.
    """

    name: str
    failing: int = 0
    healthy: int = 1
    rests: bool = False
    pieces: int = FEW_PIECES


@dataclass(frozen=True, slots=True)
class Contestant:
    """`opened` takes the address of the API and the scenario."""

    name: str
    opened: Callable[[str, Scenario], AbstractAsyncContextManager[Ask]]

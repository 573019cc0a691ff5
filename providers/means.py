"""What all calls of one client work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from providers.budget import Budget
from providers.crowd import Crowd
from providers.health import HealthBook
from providers.knowledge import Knowledge
from providers.ledger import Ledger, NoLedger
from providers.pace import Pace
from providers.quota import FreeDays, Quotas
from providers.registry import Registry
from providers.settings import Limits
from providers.slots import Slots


@dataclass(slots=True)
class Means:
    """`now` is wall-clock time; `patience` how long one call waits for limits to end where nobody else can answer,
    in seconds all told.
    """

    registry: Registry
    knowledge: Knowledge
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    patience: float = 60.0
    limits: Limits = field(default_factory=Limits)
    health: HealthBook = field(default_factory=HealthBook)
    pace: Pace = field(default_factory=Pace)
    quotas: Quotas = field(default_factory=Quotas)
    free_days: FreeDays = field(default_factory=FreeDays)
    crowd: Crowd = field(default_factory=Crowd)
    budget: Budget = field(default_factory=Budget)
    ledger: Ledger = field(default_factory=NoLedger)
    slots: Slots = field(default_factory=Slots)

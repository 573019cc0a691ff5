"""What may be spent: the caps of `[limits]`, what counts towards them, and whether one more call fits. Pure: the time
is passed in (epoch seconds).

A call is held with the most that it may come to before it is made, and settled with what it came to, so that calls
under way at the same time can't go over a cap together. A day and a month are the calendar's, at this machine's clock;
a call belongs to those in which it began.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from providers.calendar import PERIODS, Period, begin, end
from providers.errors import OverAllowance, OverLimit, ProviderError, Unpriced
from providers.ledger import Amount
from providers.money import DUST, MILLION, cost, dollars
from providers.settings import Limit, Limits
from providers.types import Allowance, Price, Usage

Unit = Literal["usd", "tokens"]
Level = Literal["", "near", "reached"]

UNITS: tuple[Unit, ...] = ("usd", "tokens")
LEAST_ANSWER = 1024
"""Near a cap an answer may get less room than was asked for, but not less than this: most are shorter."""
_KEPT = 70 * 86_400.0
"""Seconds after which a period that is over is forgotten; a clock may be set back until then."""


@dataclass(frozen=True, slots=True)
class Cap:
    """One cap, for all roles together where `role` is ""."""

    role: str
    period: Period
    unit: Unit
    most: float

    @property
    def setting(self) -> str:
        """Its name in the configuration."""
        table = f"limits.roles.{self.role}" if self.role else "limits"
        return f"{table}.{self.unit}_per_{self.period}"

    def amount(self, value: float) -> str:
        """So much of what it counts, for a person."""
        return dollars(value) if self.unit == "usd" else f"{value:,.0f} tokens"

    def share(self, value: float) -> str:
        """So much of the cap, for a person."""
        used = dollars(value) if self.unit == "usd" else f"{value:,.0f}"
        return f"{used} of {self.amount(self.most)}"

    def of(self, amount: Amount) -> float:
        return amount.usd if self.unit == "usd" else amount.tokens


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a cap is used: `spent` by calls that ended, `held` for those under way. `begins` and `until` are those
    of the period. `level` is "near" from `warn_at` on, and "reached" once a call was refused for it.
    """

    cap: Cap
    spent: float
    held: float
    begins: float
    until: float
    level: Level

    @property
    def left(self) -> float:
        return max(0.0, self.cap.most - self.spent - self.held)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that costs money, before it is made: the `prompt` in tokens, `answer` the most that it may write, and
    `least` what it needs for that to be of use; `seconds` of sound.
    """

    role: str
    prompt: int
    answer: int
    least: int
    price: Price | None
    allowance: Allowance = field(default_factory=Allowance)
    seconds: float = 0.0

    def cost(self, answer: int) -> Amount:
        """What it comes to at most with an answer of that length; no dollars where no price is known."""
        # A price list may ask more for what comes from the cache than for what doesn't.
        plain = Usage(self.prompt, answer, seconds=self.seconds)
        prompts = (plain, replace(plain, cached_tokens=self.prompt))
        usd = max(cost(self.price, usage) or 0.0 for usage in prompts) if self.price else 0.0
        return Amount(usd, self.prompt + answer)

    def fitting(self, unit: Unit, left: float) -> float:
        """How long an answer may be for what is left; negative where not even the prompt fits."""
        if unit == "tokens" or self.price is None:
            return left - self.prompt
        for_answer = left + DUST - self.cost(0).usd
        if for_answer < 0 or self.price.completion == 0:
            return math.copysign(math.inf, for_answer)
        return math.floor(for_answer / self.price.completion * MILLION)


@dataclass(frozen=True, slots=True)
class Hold:
    """What one call may come to, until it is settled. `answer` is how many tokens it may write."""

    amount: Amount
    answer: int
    places: tuple[tuple[str, Period, float], ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is not made; `until` is when its period ends, where that helps."""

    error: type[ProviderError]
    detail: str
    until: float | None = None


@dataclass(slots=True)
class _Tally:
    spent: Amount = field(default_factory=Amount)
    holds: list[Hold] = field(default_factory=list)

    def held(self, cap: Cap) -> float:
        return math.fsum(cap.of(hold.amount) for hold in self.holds)


class Budget:
    """The sums of every role and of all together (""), by day and month."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._tallies: dict[tuple[str, Period, float], _Tally] = {}
        self._refused: set[tuple[Cap, float]] = set()
        self._caps: tuple[Cap, ...] = ()
        self._warn_at = 1.0
        self.limit(limits or Limits())

    def limit(self, limits: Limits) -> None:
        """Keep to these from now on; what was spent stays spent."""
        self._caps, self._warn_at = tuple(caps(limits)), limits.warn_at

    def load(self, period: Period, spent: Mapping[str, Amount], now: float) -> None:
        """Take over what was spent so far in the current day or month, by role."""
        begins = begin(period, now)
        for role, amount in spent.items():
            for name in {role, ""}:
                tally = self._tally((name, period, begins))
                tally.spent = tally.spent + amount

    def binds(self, role: str) -> bool:
        """Whether there is a cap on what this role spends."""
        return any(cap.role in ("", role) for cap in self._caps)

    def refusal(self, wanted: Wanted, now: float) -> Refusal | None:
        """Whether a call would be refused now, and why."""
        found = self._room(wanted, now)
        return found if isinstance(found, Refusal) else None

    def hold(self, wanted: Wanted, now: float) -> Hold | Refusal:
        """Set aside what the call may come to at most. Settle it in any case."""
        room = self._room(wanted, now)
        if isinstance(room, Refusal):
            self._note_refused(wanted, now)
            return room
        hold = Hold(wanted.cost(room), room, _places(wanted.role, now))
        for place in hold.places:
            self._tally(place).holds.append(hold)
        return hold

    def settle(self, hold: Hold, amount: Amount) -> None:
        """The call ended, and came to `amount`."""
        for place in hold.places:
            tally = self._tally(place)
            tally.holds = [one for one in tally.holds if one is not hold]
            tally.spent = tally.spent + amount

    def book(self, role: str, amount: Amount, at: float) -> None:
        """A call that was not held, and began at that time, came to `amount`."""
        self.settle(Hold(Amount(), 0, _places(role, at)), amount)

    def standings(self, now: float) -> tuple[Standing, ...]:
        """How far each cap is used now."""
        return tuple(self._standing(cap, now) for cap in self._caps)

    def _room(self, wanted: Wanted, now: float) -> int | Refusal:
        """How long the answer may be, or why there can't be one."""
        bound = [cap for cap in self._caps if cap.role in ("", wanted.role)]
        if wanted.price is None and (
            wanted.allowance.usd is not None or any(cap.unit == "usd" for cap in bound)
        ):
            return Refusal(Unpriced, "no price is known")
        allowed = _within(wanted)
        if allowed < wanted.least:
            return _over_allowance(wanted)
        standings = [self._standing(cap, now) for cap in bound]
        fitting = {s: wanted.fitting(s.cap.unit, s.cap.most - s.spent - s.held) for s in standings}
        lacking = [s for s in standings if fitting[s] < wanted.least]
        if lacking:
            return _over_limit(wanted, lacking)
        return int(min(wanted.answer, allowed, *fitting.values()))

    def _note_refused(self, wanted: Wanted, now: float) -> None:
        for s in self.standings(now):
            small = s.cap.most * self._warn_at > s.spent
            if s.cap.role in ("", wanted.role) and not small and _lasting(wanted, s):
                self._refused.add((s.cap, s.begins))

    def _standing(self, cap: Cap, now: float) -> Standing:
        begins = begin(cap.period, now)
        tally = self._tallies.get((cap.role, cap.period, begins)) or _Tally()
        spent = cap.of(tally.spent)
        level: Level = "near" if cap.most and spent >= cap.most * self._warn_at - DUST else ""
        if cap.most and ((cap, begins) in self._refused or spent >= cap.most - DUST):
            level = "reached"
        return Standing(cap, spent, tally.held(cap), begins, end(cap.period, now), level)

    def _tally(self, place: tuple[str, Period, float]) -> _Tally:
        tally = self._tallies.get(place)
        if tally is None:
            begins = place[2]
            self._tallies = {p: t for p, t in self._tallies.items() if t.holds or p[2] > begins - _KEPT}
            self._refused = {(c, at) for c, at in self._refused if at > begins - _KEPT}
            tally = self._tallies[place] = _Tally()
        return tally


def caps(limits: Limits) -> Iterator[Cap]:
    """Every cap of the section, those for all roles first."""
    yield from _caps("", limits)
    for role, limit in limits.roles.items():
        yield from _caps(role, limit)


def _caps(role: str, limit: Limit) -> Iterator[Cap]:
    for period in PERIODS:
        for unit in UNITS:
            most = getattr(limit, f"{unit}_per_{period}")
            if most is not None:
                yield Cap(role, period, unit, most)


def _places(role: str, at: float) -> tuple[tuple[str, Period, float], ...]:
    return tuple((name, period, begin(period, at)) for period in PERIODS for name in sorted({role, ""}))


def _within(wanted: Wanted) -> float:
    """How long an answer the allowance has room for."""
    allowance, fitting = wanted.allowance, [float(wanted.answer)]
    if allowance.usd is not None:
        fitting.append(wanted.fitting("usd", allowance.usd))
    if allowance.tokens is not None:
        fitting.append(wanted.fitting("tokens", allowance.tokens))
    return min(fitting)


def _over_allowance(wanted: Wanted) -> Refusal:
    need, left = wanted.cost(wanted.least), wanted.allowance
    if left.usd is not None and wanted.fitting("usd", left.usd) < wanted.least:
        detail = f"it may cost {dollars(need.usd)}, and {dollars(left.usd)} is left for it"
    else:
        detail = f"it may take {need.tokens:,} tokens, and {left.tokens or 0:,} are left for it"
    return Refusal(OverAllowance, detail)


def _over_limit(wanted: Wanted, lacking: list[Standing]) -> Refusal:
    lasting = [s for s in lacking if _lasting(wanted, s)]
    worst = max(lasting or lacking, key=lambda s: s.until)
    cap, need = worst.cap, worst.cap.of(wanted.cost(wanted.least))
    used = f"{cap.share(worst.spent)} a {cap.period} spent"
    if not lasting:
        return Refusal(OverLimit, f"{used}, and calls under way may take the rest ({cap.setting})")
    return Refusal(OverLimit, f"{used}, and this may take {cap.amount(need)} ({cap.setting})", worst.until)


def _lasting(wanted: Wanted, standing: Standing) -> bool:
    """Whether the call would not even fit if nothing else were under way."""
    return wanted.fitting(standing.cap.unit, standing.cap.most - standing.spent) < wanted.least

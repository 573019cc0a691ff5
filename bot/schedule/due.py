"""What is due: a pure function of a trigger, of when it was last due, and of the time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import tzinfo

from bot.cron import Cron as CronTimes
from bot.schedule.spec import Cron, Every, Trigger


@dataclass(frozen=True, slots=True)
class Due:
    """`now`: whether it is due; several missed times are one. `next` is the first time in the future, None where
    there is none. `since` is what to ask with the next time.
    """

    now: bool
    next: float | None
    since: float


def due(trigger: Trigger, since: float, now: float, zone: tzinfo | None = None) -> Due:
    """`since` is `Due.since` of the last time, at first when the job became known. All in epoch seconds; cron fields
    count in `zone`, by default this machine's.

    A `since` in the future stems from a clock that was wrong then, and puts nothing off.
    """
    match trigger:
        case Every(seconds):
            return _every(seconds, since, now)
        case Cron(fields):
            return _cron(CronTimes.parse(fields), min(since, now), now, zone)


def _every(seconds: float, since: float, now: float) -> Due:
    """The phase is that of `since`, however late a run is."""
    passed = math.floor((now - since) / seconds)
    last = since + passed * seconds
    coming = max(last + seconds, math.nextafter(now, math.inf))
    return Due(passed > 0, coming, last if passed else since)


def _cron(times: CronTimes, since: float, now: float, zone: tzinfo | None) -> Due:
    first = times.after(since, zone)
    if first is None or first > now:
        return Due(False, first, since)
    return Due(True, times.after(now, zone), now)

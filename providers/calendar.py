"""The days and months of the calendar at this machine's clock. Pure but for its time zone."""

from __future__ import annotations

import time
from typing import Literal

Period = Literal["day", "month"]
PERIODS: tuple[Period, ...] = ("day", "month")


def begin(period: Period, at: float) -> float:
    """When the day or month of a time began."""
    then = time.localtime(at)
    return _midnight(then.tm_year, then.tm_mon, then.tm_mday if period == "day" else 1)


def end(period: Period, at: float) -> float:
    """When the day or month of a time will be over."""
    then = time.localtime(at)
    if period == "day":
        return _midnight(then.tm_year, then.tm_mon, then.tm_mday + 1)
    return _midnight(then.tm_year, then.tm_mon + 1, 1)


def _midnight(year: int, month: int, day: int) -> float:
    # mktime carries a 32nd day or a 13th month over.
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))

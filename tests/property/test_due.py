"""Intervals and cron fields over any sequence of looks: none fires early, none is lost, none is made up twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.cron import Cron as Times
from bot.schedule.due import due
from bot.schedule.spec import Cron, Every

START = 1_800_000_000.0
EIGHTHS = st.integers(0, 80_000).map(lambda eighths: eighths / 8)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
MINUTES = st.sampled_from(["*", "0", "30", "*/15", "5,50", "10-20/5"])
HOURS = st.sampled_from(["*", "0", "2", "*/6", "1-3", "23"])
DAYS = st.sampled_from(["*", "1", "15", "28-31"])
WEEKDAYS = st.sampled_from(["*", "0", "1-5", "sat"])
FIELDS = st.tuples(MINUTES, HOURS, DAYS, WEEKDAYS).map(lambda f: f"{f[0]} {f[1]} {f[2]} * {f[3]}")


@given(st.integers(1, 4_000), st.lists(EIGHTHS, max_size=30))
def test_an_interval_fires_once_for_what_passed_and_keeps_its_phase(
    seconds: int, pauses: list[float]
) -> None:
    since, now, fired = START, START, 0
    for pause in pauses:
        now += pause
        before, found = since, due(Every(seconds), since, now)
        assert found.now == (now - before >= seconds)
        assert found.next is not None
        assert now < found.next <= now + seconds
        assert (found.next - START) % seconds == 0
        since, fired = found.since, fired + found.now
    assert fired <= (now - START) // seconds
    assert now - since < seconds


@given(st.integers(1, 4_000), st.floats(-1e9, 1e9))
def test_a_wait_never_exceeds_the_interval_whatever_was_stored(seconds: int, offset: float) -> None:
    found = due(Every(seconds), START + offset, START)
    assert found.next is not None
    assert START < found.next <= START + seconds + 1e-3
    assert found.since <= START


@given(FIELDS, ZONES, st.integers(0, 366 * 86_400))
def test_cron_times_match_their_fields_by_the_local_clock(fields: str, zone: str, offset: int) -> None:
    local, at = ZoneInfo(zone), START + offset
    found = Times.parse(fields).after(at, local)
    assert found is not None
    assert found > at
    wall = datetime.fromtimestamp(found, local)
    skipped = wall - timedelta(hours=1)
    shown = [wall.replace(tzinfo=None), *([] if _exists(skipped, local) else [skipped.replace(tzinfo=None)])]
    skipped = wall - timedelta(minutes=30)
    shown += [] if _exists(skipped, local) else [skipped.replace(tzinfo=None)]
    assert any(_matches(fields, one) for one in shown), (fields, wall)


@given(FIELDS, st.integers(0, 366 * 86_400))
def test_no_cron_time_is_left_out(fields: str, offset: int) -> None:
    """In a zone without changes of the clock, minute by minute."""
    at = START + offset
    found = Times.parse(fields).after(at, ZoneInfo("UTC"))
    minute = (at // 60 + 1) * 60
    for _ in range(600):
        if _matches(fields, datetime.fromtimestamp(minute, UTC).replace(tzinfo=None)):
            assert found == minute
            return
        minute += 60
    assert found is not None
    assert found >= minute


@given(FIELDS, st.lists(EIGHTHS, max_size=12))
def test_what_was_done_is_not_due_again(fields: str, pauses: list[float]) -> None:
    zone, since, now = ZoneInfo("Europe/Berlin"), START, START
    for pause in pauses:
        now += pause
        found = due(Cron(fields), since, now, zone)
        assert not due(Cron(fields), found.since, now, zone).now
        assert found.next is None or found.next > now
        since = found.since


def _exists(wall: datetime, zone: ZoneInfo) -> bool:
    naive = wall.replace(tzinfo=zone)
    return naive.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == naive.replace(tzinfo=None)


def _matches(fields: str, wall: datetime) -> bool:
    minute, hour, day, _, weekday = fields.split()
    days = _in(day, wall.day, 1, 31)
    weekdays = weekday == "*" or wall.weekday() in {"0": {6}, "1-5": {0, 1, 2, 3, 4}, "sat": {5}}[weekday]
    either = days or weekdays if "*" not in (day, weekday) else days and weekdays
    return _in(minute, wall.minute, 0, 59) and _in(hour, wall.hour, 0, 23) and either


def _in(field: str, value: int, low: int, high: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start, end = (low, high) if span == "*" else (int(first), int(last or first))
        if start <= value <= end and (value - start) % int(step or 1) == 0:
            return True
    return False

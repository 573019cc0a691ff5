"""Reminders over any sequence of looks, stops and starts: each time is told once, in its phase, never before it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.schedule.times import SHORTEST, Wish, first, following, moment, retimed

START = 1_800_000_000.0
ZONES = st.sampled_from(
    ["UTC", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
).map(ZoneInfo)
CRONS = st.sampled_from(
    ["0 9 * * *", "30 2 * * *", "*/15 * * * *", "0 9 * * mon-fri", "0 0 1 * *", "15 1-3 * * sun"]
)
RULES = st.one_of(
    st.builds(Wish),
    st.integers(SHORTEST, 90_000).map(lambda s: Wish(every=s)),
    CRONS.map(lambda c: Wish(cron=c)),
)
PAUSES = st.lists(st.one_of(st.integers(0, 4_000), st.integers(0, 40 * 86_400)), max_size=25)


@given(RULES, ZONES, st.integers(0, 366 * 86_400), PAUSES)
def test_each_time_is_told_once_and_none_early(
    rule: Wish, zone: ZoneInfo, offset: int, pauses: list[int]
) -> None:
    """As the rows do it: due at `due_at`, and then at what follows."""
    now = START + offset
    asked = Wish("+60", cron="") if rule == Wish() else rule
    due_at: float | None = first(asked, now, zone)
    told: list[float] = []
    for pause in pauses:
        now += pause
        while due_at is not None and due_at <= now:
            assert not told or due_at > told[-1], "several that were missed are one"
            told.append(now)
            due_at, _ = following(rule, due_at, now, zone)
    assert due_at is None or due_at > now
    assert len(told) == len(set(told))
    if rule == Wish():
        assert len(told) <= 1


@given(st.integers(SHORTEST, 90_000), ZONES, PAUSES)
def test_what_is_repeated_keeps_its_phase(seconds: int, zone: ZoneInfo, pauses: list[int]) -> None:
    now = START
    begun = due_at = first(Wish(every=seconds), now, zone)
    for pause in pauses:
        now += pause
        if due_at <= now:
            coming, again = following(Wish(every=seconds), due_at, now, zone)
            assert again == (now - due_at >= seconds)
            assert coming is not None
            due_at = coming
        assert (due_at - begun) % seconds == 0
        assert due_at <= now + seconds


@given(CRONS, ZONES, st.integers(0, 366 * 86_400), st.integers(0, 366 * 86_400))
def test_reckoned_anew_in_the_same_zone_nothing_changes(
    fields: str, zone: ZoneInfo, offset: int, later: int
) -> None:
    now = START + offset
    due_at = first(Wish(cron=fields), now, zone)
    assert retimed(fields, now, now + later, zone) == due_at


@given(ZONES, st.datetimes(datetime(2027, 2, 1), datetime(2028, 2, 1)))  # noqa: DTZ001 -- what a clock on the wall shows
def test_a_local_time_is_what_that_clock_shows_then(zone: ZoneInfo, wall: datetime) -> None:
    wall = wall.replace(microsecond=0)
    at = moment(wall.isoformat(), START, zone)
    shown = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
    left_out = wall.replace(tzinfo=zone).utcoffset() != datetime.fromtimestamp(at, zone).utcoffset()
    assert shown == wall or (left_out and shown > wall)


@given(st.text(max_size=30))
def test_whatever_is_said_is_a_time_to_come_or_told_in_a_line(text: str) -> None:
    try:
        said = moment(text, START, ZoneInfo("Europe/Rome")) > START
    except ValueError as error:
        said = "\n" not in str(error)
    assert said

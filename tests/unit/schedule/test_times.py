"""What a wish for a reminder means by somebody's clock, and how times are said."""

from __future__ import annotations

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from bot.schedule.times import (
    Wish,
    announced,
    begins,
    clock,
    first,
    following,
    moment,
    ordered,
    retimed,
    spoken,
    wish,
)

ROME, NEW_YORK = ZoneInfo("Europe/Rome"), ZoneInfo("America/New_York")


def rome(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ROME).timestamp()


NOW = rome("2026-11-23T15:00")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-24T09:00", "2026-11-24T09:00"),
        ("2026-11-24 09:00", "2026-11-24T09:00"),
        (" 2026-11-24T09:00:30 ", "2026-11-24T09:00:30"),
        ("2026-11-24T09:00Z", "2026-11-24T10:00"),
        ("2026-11-24T09:00-05:00", "2026-11-24T15:00"),
        ("16:30", "2026-11-23T16:30"),
        ("14:59", "2026-11-24T14:59"),
        ("15:00", "2026-11-24T15:00"),
        ("+1200", "2026-11-23T15:20"),
        ("+20m", "2026-11-23T15:20"),
        ("+ 2 h", "2026-11-23T17:00"),
        ("+0", "2026-11-23T15:00:01"),
    ],
)
def test_a_moment_is_meant_by_the_persons_clock(said: str, meant: str) -> None:
    assert moment(said, NOW, ROME) == rome(meant)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("tomorrow", "is no time"),
        ("24/11/2026 9:00", "is no time"),
        ("2026-11-24", "has no time of day"),
        ("2026-11-23T14:59", "is over: it is Monday 23 November 2026, 15:00 (Europe/Rome)"),
        ("25:00", "is no time"),
        ("0001-01-01T00:00", "out of reach"),
        ("9999-12-31T23:59", "out of reach"),
    ],
)
def test_what_is_no_time_to_come_is_told_with_what_would_be(said: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("(", r"\(").replace(")", r"\)")):
        moment(said, NOW, ROME)


def test_a_time_that_the_clock_leaves_out_is_an_hour_later_and_one_it_shows_twice_the_first() -> None:
    assert spoken(moment("2027-03-28T02:30", NOW, ROME), ROME).startswith("Sunday 28 March 2027, 03:30")
    twice = moment("2027-10-31T02:30", NOW, ROME)
    assert datetime.fromtimestamp(twice, ROME).isoformat() == "2027-10-31T02:30:00+02:00"


@pytest.mark.parametrize(
    ("at", "repeat", "meant"),
    [
        ("1200", "", Wish("+1200")),
        ("09:00", "3600", Wish("09:00", 3600)),
        ("", "2h", Wish("", 7200)),
        ("", "every 90 min", Wish("", 5400)),
        ("", " 0  9 * * mon-fri ", Wish(cron="0 9 * * mon-fri")),
    ],
)
def test_how_a_model_may_put_it(at: str, repeat: str, meant: Wish) -> None:
    assert wish(at, repeat) == meant


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (Wish("2026-11-24T09:00"), "2026-11-24T09:00"),
        (Wish(every=3600), "2026-11-23T16:00"),
        (Wish("09:00", 3600), "2026-11-24T09:00"),
        (Wish(cron="0 9 * * mon-fri"), "2026-11-24T09:00"),
        (Wish(cron="0 9 * * sun"), "2026-11-29T09:00"),
        (Wish("2026-11-25T09:00", cron="0 9 * * *"), "2026-11-25T09:00"),
        (Wish("2026-11-25T10:00", cron="0 9 * * *"), "2026-11-26T09:00"),
    ],
)
def test_when_it_is_due_for_the_first_time(asked: Wish, meant: str) -> None:
    assert first(asked, NOW, ROME) == rome(meant)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (Wish(), "expected a local time"),
        (Wish(every=59), "at most once a minute"),
        (Wish(cron="9"), "has 1 fields"),
        (Wish(cron="0 9 31 2 *"), "a day that never comes"),
        (Wish("2126-01-01T00:00"), "fifty years"),
    ],
)
def test_wishes_that_cant_be_met_are_told(asked: Wish, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        first(asked, NOW, ROME)


def test_what_is_due_once_is_never_due_again() -> None:
    assert following(Wish(), NOW, NOW + 5, ROME) == (None, False)


def test_nine_stays_nine_when_the_clock_is_set() -> None:
    at, days = rome("2026-10-24T09:00"), []
    for _ in range(3):
        days.append(clock(at, NOW, ROME))
        coming, _again = following(Wish(cron="0 9 * * *"), at, at, ROME)
        assert coming is not None
        at = coming
    assert days == ["Sat 24 Oct 09:00", "Sun 25 Oct 09:00", "Mon 26 Oct 09:00"]


def test_cron_fields_go_by_where_their_person_is_now() -> None:
    set_at = rome("2026-11-23T15:00")
    assert retimed("0 9 * * *", set_at, set_at, NEW_YORK) == rome("2026-11-24T15:00")
    # What was missed meanwhile is still due, at the time when it was.
    assert retimed("0 9 * * *", set_at, set_at + 3 * 86_400, ROME) == rome("2026-11-24T09:00")


def test_fields_from_a_day_on_stay_so_when_times_are_reckoned_anew() -> None:
    asked = Wish("2026-12-01T09:00", cron="0 9 * * *")
    assert retimed(asked.cron, begins(asked, NOW, ROME), rome("2026-12-24T00:00"), ROME) == rome(
        "2026-12-01T09:00"
    )


@pytest.mark.parametrize(
    ("rule", "late", "text", "coming"),
    [
        (Wish(), 0.0, "⏰ tea", None),
        (Wish(), 59.0, "⏰ tea", None),
        (Wish(), 7200.0, "⏰ (late, was due 15:00) tea", None),
        (Wish(), 86_400.0, "⏰ (late, was due Mon 23 Nov 15:00) tea", None),
        (Wish(), 60 * 86_400.0, "⏰ (late, was due 23 Nov 2026 15:00) tea", None),
        (Wish(every=3600), 0.0, "⏰ tea", 3600.0),
        (Wish(every=3600), 1800.0, "⏰ (late, was due 15:00) tea", 3600.0),
        (Wish(every=3600), 9000.0, "⏰ (late, was due 15:00 and again since) tea", 10_800.0),
        (Wish(cron="0 15 * * *"), 7200.0, "⏰ (late, was due 15:00) tea", 86_400.0),
    ],
)
def test_what_a_person_reads(rule: Wish, late: float, text: str, coming: float | None) -> None:
    said = announced("tea", rule, NOW, NOW + late, ROME)
    assert said.text == text
    assert said.next == (None if coming is None else NOW + coming)


def test_what_the_assistant_reads_of_a_task() -> None:
    on_time = "[Task set for Monday 23 November 2026, 15:00 (Europe/Rome)]\ntea"
    assert ordered("tea", Wish(), NOW, NOW, ROME).text == on_time
    assert "was missed: say that it is late]\ntea" in ordered("tea", Wish(), NOW, NOW + 600, ROME).text


@pytest.mark.parametrize("zone", [ROME, None])
def test_times_are_said_with_their_zone(zone: tzinfo | None) -> None:
    local = datetime.fromtimestamp(NOW, zone).astimezone(zone)
    assert spoken(NOW, zone) == f"{local:%A %d %B %Y, %H:%M} ({zone or local.tzname()})"

"""When something is due: intervals keep their phase, cron fields follow the clock that people see."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.cron import Cron as Times
from bot.schedule.due import Due, due
from bot.schedule.spec import Cron, Every

BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_800_000_000.0


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def runs(fields: str, start: str, count: int) -> list[str]:
    times, now, found = Times.parse(fields), at(start), []
    for _ in range(count):
        following = times.after(now, BERLIN)
        assert following is not None
        assert following > now
        now = following
        found.append(datetime.fromtimestamp(now, BERLIN).strftime("%d %H:%M%z")[:-2])
    return found


def test_an_interval_counts_from_when_it_became_known() -> None:
    assert due(Every(60), NOW, NOW) == Due(False, NOW + 60, NOW)
    assert due(Every(60), NOW, NOW + 60) == Due(True, NOW + 120, NOW + 60)


def test_a_late_run_does_not_shift_the_next() -> None:
    assert due(Every(60), NOW, NOW + 95) == Due(True, NOW + 120, NOW + 60)


def test_several_missed_ones_are_one() -> None:
    found = due(Every(60), NOW, NOW + 6_030)
    assert found == Due(True, NOW + 6_060, NOW + 6_000)
    assert not due(Every(60), found.since, NOW + 6_031).now


@pytest.mark.parametrize("trigger", [Every(3600), Cron("0 * * * *")])
def test_a_clock_that_was_wrong_puts_nothing_off(trigger: Every | Cron) -> None:
    found = due(trigger, NOW + 1e8, NOW, BERLIN)
    assert found.next is not None
    assert not found.now
    assert NOW < found.next <= NOW + 3600
    assert due(trigger, found.since, found.next, BERLIN).now


def test_a_time_of_day_that_was_missed_is_due_once() -> None:
    since, now = at("2027-05-01 12:00"), at("2027-05-04 09:00")
    found = due(Cron("30 2 * * *"), since, now, BERLIN)
    assert found.now
    assert found.next == at("2027-05-05 02:30")
    assert due(Cron("30 2 * * *"), found.since, now + 1, BERLIN) == Due(False, found.next, now)


def test_what_has_its_hour_runs_once_when_that_hour_comes_twice() -> None:
    assert runs("30 2 * * *", "2027-10-30 12:00", 2) == ["31 02:30+02", "01 02:30+01"]


def test_what_has_its_hour_runs_later_when_that_hour_is_left_out() -> None:
    assert runs("30 2 * * *", "2027-03-27 12:00", 2) == ["28 03:30+02", "29 02:30+02"]


def test_what_runs_all_the_time_goes_on_in_the_hour_that_comes_twice() -> None:
    expected = ["31 01:30+02", "31 02:00+02", "31 02:30+02", "31 02:00+01", "31 02:30+01", "31 03:00+01"]
    assert runs("*/30 * * * *", "2027-10-31 01:00", 6) == expected


def test_what_runs_all_the_time_skips_the_hour_that_is_left_out() -> None:
    assert runs("*/30 * * * *", "2027-03-28 01:00", 3) == ["28 01:30+01", "28 03:00+02", "28 03:30+02"]


def test_steps_of_hours_stand_at_the_same_hours_all_year() -> None:
    assert runs("0 */6 * * *", "2027-03-28 00:00", 2) == ["28 06:00+02", "28 12:00+02"]
    assert runs("0 */6 * * *", "2027-10-31 00:00", 2) == ["31 06:00+01", "31 12:00+01"]


def test_weekdays_count_from_sunday() -> None:
    sunday = "2027-05-02"
    for field in ("0", "7", "sun", "SUN"):
        assert runs(f"0 9 * * {field}", "2027-05-01 00:00", 1) == [f"{sunday[-2:]} 09:00+02"]
    assert runs("0 9 * * 1-5", "2027-05-01 00:00", 6) == [f"{d:02} 09:00+02" for d in (3, 4, 5, 6, 7, 10)]
    assert runs("0 9 * * */2", "2027-05-01 00:00", 4) == [f"{d:02} 09:00+02" for d in (1, 2, 4, 6)]
    assert runs("0 9 * * 5-7", "2027-05-01 00:00", 3) == [f"{d:02} 09:00+02" for d in (1, 2, 7)]


def test_a_day_and_a_weekday_are_either_of_them() -> None:
    assert runs("0 9 5 * mon", "2027-05-01 00:00", 3) == [f"{d:02} 09:00+02" for d in (3, 5, 10)]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("* * * *", "has 4 fields; expected five fields"),
        ("@daily", "has 1 fields"),
        ("", "has 0 fields"),
        ("61 * * * *", "can't be read"),
        ("*/0 * * * *", "can't be read"),
        ("a * * * *", "can't be read"),
        ("0 0 * foo *", "can't be read"),
        ("0 0 * * 8", "has '8' for a weekday"),
        ("0 0 * * mon-", "has no weekday in 'mon-'"),
        ("0 0 * * fri-mon", "has no weekday in 'fri-mon'"),
        ("0 0 31 2 *", "names a day that never comes"),
    ],
)
def test_what_is_no_time_is_said_in_one_line(fields: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"fields|never") as raised:
        Times.parse(fields)
    assert str(raised.value).startswith(says)
    assert "\n" not in str(raised.value)


def test_this_machines_clock_is_the_default() -> None:
    found = Times.parse("0 3 * * *").after(NOW)
    assert found is not None
    assert datetime.fromtimestamp(found, UTC).astimezone().strftime("%H:%M") == "03:00"

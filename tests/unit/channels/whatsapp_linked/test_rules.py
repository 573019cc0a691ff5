"""What follows from each way in which a connection to WhatsApp ends."""

from __future__ import annotations

import pytest

from channels.adapters.whatsapp.linked.protocol import Link, State
from channels.adapters.whatsapp.linked.rules import Standing, Then, after, exited, overdue, started

UP = after(started(Standing(), 0.0), Link(State.CONNECTED), 1.0)


def ended(state: State, reason: str = "", seconds: float = 0.0) -> Standing:
    return after(UP, Link(state, reason, seconds), 1000.0)


def test_a_new_child_is_started_at_once_and_is_up_once_it_says_so() -> None:
    assert Standing().then is Then.RESTART
    assert Standing().until == 0.0
    assert (UP.then, UP.up, UP.detail) == (Then.GO_ON, True, "")


def test_a_lost_connection_is_left_to_the_library_for_a_while_then_its_process_is_started_anew() -> None:
    lost = ended(State.DISCONNECTED)
    assert (lost.then, lost.up, lost.tell) == (Then.GO_ON, False, False)

    assert overdue(lost, 1080.0) == lost
    assert overdue(lost, 1100.0).then is Then.RESTART
    assert overdue(UP, 1e9) == UP
    assert after(lost, Link(State.CONNECTED), 1001.0).up


def test_waits_between_restarts_double_up_to_a_limit_and_begin_anew_once_it_held() -> None:
    standing, waits, now = UP, [], 1000.0
    for _ in range(12):
        standing = after(started(standing, now), Link(State.UNREACHABLE, "no network"), now)
        waits.append(standing.until - now)
        now = standing.until
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == 300.0
    assert "no network" in standing.detail

    held = after(started(standing, now), Link(State.CONNECTED), now)
    assert exited(held, "it crashed", now + 61).until == pytest.approx(now + 61 + 1)
    assert exited(held, "it crashed", now + 5).until > now + 200


@pytest.mark.parametrize(
    ("state", "reason", "fix"),
    [
        (State.LOGGED_OUT, "LOGGED_OUT", "nanobot login whatsapp"),
        (State.REFUSED, "LOGGED_OUT", "nanobot login whatsapp"),
        (State.REFUSED, "MAIN_DEVICE_GONE", "nanobot login whatsapp"),
        (State.REFUSED, "UNKNOWN_LOGOUT", "banned"),
        (State.UNLINKED, "", "nanobot login whatsapp"),
        (State.REPLACED, "", "restart nanobot"),
        (State.OUTDATED, "", "pip install --upgrade neonize"),
        (State.REFUSED, "CLIENT_OUTDATED", "pip install --upgrade neonize"),
        (State.REFUSED, "BAD_USER_AGENT", "pip install --upgrade neonize"),
        (State.NO_LIBRARY, "No module named 'neonize'", "-m pip install neonize segno"),
    ],
)
def test_what_only_the_owner_can_mend_stops_and_is_told_with_the_fix(
    state: State, reason: str, fix: str
) -> None:
    standing = ended(state, reason)

    assert (standing.then, standing.up, standing.tell) == (Then.STOP, False, True)
    assert fix in standing.detail
    assert "\n" not in standing.detail


def test_nothing_that_follows_a_stop_starts_it_again() -> None:
    stopped = ended(State.LOGGED_OUT, "LOGGED_OUT")

    assert exited(stopped, "it was killed", 1001.0) == stopped
    assert overdue(stopped, 1e12) == stopped
    assert stopped.until == float("inf")


def test_a_ban_is_waited_for_until_its_end_and_told() -> None:
    banned = ended(State.BANNED, "SEND_TO_TOO_MANY_PEOPLE", 7200.0)

    assert (banned.then, banned.tell) == (Then.RESTART, True)
    assert 7200.0 <= banned.until - 1000.0 < 7300.0
    assert "2 hours" in banned.detail
    assert "send to too many people" in banned.detail
    assert exited(banned, "it was killed", 1001.0) == banned
    assert ended(State.REFUSED, "TEMP_BANNED").until >= 1000.0 + 3600.0


def test_a_server_that_refuses_is_not_asked_often_and_one_in_trouble_sooner() -> None:
    assert ended(State.REFUSED, "GENERIC").until >= 1300.0
    assert ended(State.REFUSED, "SERVICE_UNAVAILABLE").until < 1010.0
    assert ended(State.REFUSED, "").then is Then.RESTART


def test_there_is_one_restart_after_pairing_and_only_one() -> None:
    paired = after(started(Standing(), 0.0), Link(State.PAIRED), 1.0)
    lost = after(paired, Link(State.DISCONNECTED), 2.0)

    first = exited(lost, "it ended", 3.0)
    assert (first.then, first.until, first.paired) == (Then.RESTART, 3.0, False)
    assert exited(started(first, 3.0), "it ended", 4.0).until > 4.0


def test_crashes_in_a_row_are_told_once_they_are_many() -> None:
    standing, now, told = UP, 10.0, 0
    for _ in range(6):
        standing = exited(started(standing, now), "it crashed", now)
        told += standing.tell
        now = standing.until
    assert told == 2
    assert standing.detail == "it crashed"


@pytest.mark.parametrize("state", list(State))
def test_every_state_says_something(state: State) -> None:
    standing = ended(state)
    assert standing.up or standing.detail

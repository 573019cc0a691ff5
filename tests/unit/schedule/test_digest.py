"""The line in the morning says what happened and what needs its owner, and nothing that doesn't."""

from __future__ import annotations

from dataclasses import replace

from bot.jobs.digest import told
from bot.storage.digest import Day

QUIET = Day(0, 0, 0, 0, None, 0, 0, 0, 0, [])


def test_a_quiet_day() -> None:
    assert told(QUIET) == "☀️ Nobody wrote to me since yesterday; 0 model calls."


def test_a_day_that_went_well_asks_for_nothing() -> None:
    day = replace(QUIET, messages=2, turns=1, calls=3, usd=0.125, reminders=1)
    assert told(day) == "☀️ Since yesterday: 2 messages, 1 answer; 3 model calls, $0.12. 1 reminder today."


def test_what_needs_a_look_is_listed() -> None:
    day = replace(QUIET, messages=1, failed_turns=1, refused=2, asked=1, failing=[("reflect", "no model")])
    _first, *lines = told(day).splitlines()
    assert lines == [
        "Needs a look:",
        "- 1 question got no proper answer",
        "- 2 messages refused by a channel (`nanobot outbox list`)",
        "- 1 question waiting for your word",
        "- the job reflect fails: no model",
    ]

"""`nanobot jobs`: what a person reads of the jobs, and what steers them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bot.cli import jobs, status
from bot.cli.options import Options
from bot.errors import BotError
from tests.fakes.control import STATUS, FakeControl

NOW = 1_800_000_000.0


def job(name: str = "probe", **changed: Any) -> dict[str, Any]:
    return {
        "name": name,
        "help": "look whether models are back",
        "trigger": "every 30 s",
        "state": "ok",
        "next": NOW + 20,
        "last_run": NOW - 10,
        "ended_at": NOW - 9,
        "outcome": "",
        "failed": False,
        "paused": False,
        **changed,
    }


def clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def test_each_is_a_paragraph() -> None:
    off = job("reflect", help="", trigger="", state="off", next=None, last_run=None)
    assert jobs.render([job(), off], NOW) == "\n".join(
        [
            "probe: ok, every 30 s",
            "  look whether models are back",
            f"  last run {clock(NOW - 10)}: nothing to do",
            f"  next at {clock(NOW + 20)}",
            "",
            "reflect: off",
        ]
    )
    assert jobs.render([], NOW) == "There are no jobs."


def test_another_programs_words_draw_nothing() -> None:
    assert "\x1b" not in jobs.render([job(outcome="\x1b[31mred")], NOW)


@pytest.mark.parametrize(
    ("changed", "action", "says"),
    [
        ({"outcome": "3 models"}, "run", "probe: 3 models"),
        ({}, "run", "probe: nothing to do"),
        ({"failed": True, "outcome": "no luck", "state": "failed"}, "run", "probe failed: no luck"),
        ({"state": "running"}, "run", "probe is still running; `nanobot jobs list` tells what comes of it."),
        ({"next": None}, "pause", "probe rests until `nanobot jobs resume probe`."),
        ({}, "resume", f"probe runs again, next at {clock(NOW + 20)}."),
    ],
)
def test_what_came_of_it_is_one_line(changed: dict[str, Any], action: str, says: str) -> None:
    assert jobs.said(job(**changed), action, NOW) == says


async def test_the_bot_that_runs_is_asked(control: FakeControl, options: Options) -> None:
    control.replies |= {
        "GET /v1/jobs": (200, [job()]),
        "POST /v1/jobs/probe": (200, job(outcome="done")),
        "POST /v1/jobs/prob": (404, {"error": "there is no job 'prob'"}),
    }
    assert await jobs.gather(options) == [job()]
    assert (await jobs.act(options, "probe", "run"))["outcome"] == "done"
    assert control.asked[-1] == ("POST /v1/jobs/probe", {"action": "run"})
    with pytest.raises(BotError, match="there is no job 'prob'"):
        await jobs.act(options, "prob", "pause")


def test_a_reminder_is_a_line_and_draws_nothing() -> None:
    one = {
        "number": 1,
        "person": "ann",
        "next": NOW,
        "repeat": "",
        "text": "call\n2: Eva\x1b[31m",
        "task": False,
    }
    often = {**one, "number": 2, "repeat": "every 2 h", "text": "look", "task": True}
    shown = jobs.listed([one, often], NOW).splitlines()
    assert shown[0].startswith(f"1: ann, {clock(NOW)}: call 2: Eva")
    assert "\x1b" not in shown[0]
    assert shown[1] == f"2: ann, {clock(NOW)}, every 2 h: look (a task)"
    assert jobs.listed([], NOW) == "No reminder is set."


async def test_the_bot_that_runs_is_asked_for_reminders(control: FakeControl, options: Options) -> None:
    control.replies["GET /v1/reminders"] = (200, [{"number": 1}])
    assert await jobs.reminders(options) == [{"number": 1}]


def test_the_status_shows_the_next_one_and_what_failed() -> None:
    listed = [
        job(next=NOW + 3600),
        job("catalogue", failed=True, outcome="no connection", state="failed"),
        job("reflect", state="paused", next=None),
    ]
    screen = status.render({"running": True, **STATUS, "jobs": listed}, NOW)
    at, ended = (
        time.strftime("%H:%M", time.localtime(NOW + 20)),
        time.strftime("%H:%M", time.localtime(NOW - 9)),
    )
    assert f"2 scheduled, next catalogue at {at}; resting: reflect" in screen
    assert f"catalogue failed at {ended}: no connection" in screen

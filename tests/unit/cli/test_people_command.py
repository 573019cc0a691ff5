"""`nanobot people`: who may write, and taking a way back, through a bot that runs."""

from __future__ import annotations

import json
import time
from typing import Any

from bot.cli.options import Options
from bot.cli.people import render, unlinked
from tests.fakes.control import FakeControl
from tests.unit.cli.test_commands import beside

ANNA: dict[str, Any] = {
    "name": "anna",
    "role": "owner",
    "identities": [
        {"channel": "email", "sender": "anna@home", "from": "configuration", "since": None},
        {"channel": "telegram", "sender": "77", "from": "code", "since": 1_800_000_000.0},
    ],
    "language": "Italian",
    "timezone": "Europe/Rome",
    "prefers": "",
    "last_seen": 1_800_000_000.0,
}
BEN: dict[str, Any] = {
    "name": "ben",
    "role": "user",
    "identities": [],
    "language": "",
    "timezone": "",
    "prefers": "email",
    "last_seen": None,
}


def test_everybody_is_shown_with_where_they_are_known_from() -> None:
    at = time.localtime(1_800_000_000.0)
    assert render([ANNA, BEN]).splitlines() == [
        f"anna (owner), last seen {time.strftime('%Y-%m-%d %H:%M', at)}",
        "  email anna@home  (from the configuration)",
        f"  telegram 77  (by a code, {time.strftime('%Y-%m-%d', at)})",
        "  language: Italian",
        "  timezone: Europe/Rome",
        "",
        "ben (user), never seen",
        "  no way to write",
        "  prefers: email",
    ]
    assert "at this machine's terminal only" in render([{**ANNA, "identities": []}])


def test_what_is_left_after_taking_a_way_back_is_said() -> None:
    assert (
        unlinked({"person": "anna", "left": 2}, "telegram", "77")
        == "77 on telegram is a stranger from now on; anna has 2 other ways left."
    )
    assert "no way left but" in unlinked({"person": "anna", "left": 0}, "telegram", "77")


async def test_people_through_a_bot_that_runs(control: FakeControl, options: Options) -> None:
    control.replies["GET /v1/people"] = (200, [ANNA])
    control.replies["POST /v1/people/unlink"] = (200, {"person": "anna", "left": 1})
    data = ("--data", str(options.data))
    shown = await beside(*data, "people")
    listed = await beside(*data, "people", "--json")
    gone = await beside(*data, "people", "unlink", "telegram", "77")
    assert [ended.code for ended in (shown, listed, gone)] == [0, 0, 0]
    assert shown.out.startswith("anna (owner)")
    assert json.loads(listed.out) == [ANNA]
    assert "1 other way left" in gone.out
    assert control.asked[-1][1] == {"channel": "telegram", "sender": "77"}

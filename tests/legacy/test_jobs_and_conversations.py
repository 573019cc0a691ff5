"""Old jobs and conversations, read from what the programs wrote."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from bot.legacy.jobs import Errand, errands
from bot.legacy.notes import Fate
from bot.legacy.transcripts import Line, talk

NOW = 1_800_000_000.0


def job(schedule: dict[str, Any], **payload: Any) -> dict[str, Any]:
    return {"id": "j", "name": "n", "schedule": schedule, "payload": {"message": "do it", **payload}}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"kind": "at", "atMs": (NOW + 60) * 1000}, Errand("n", "do it", at=NOW + 60)),
        ({"kind": "every", "everyMs": 3_600_000}, Errand("n", "do it", every=3600)),
        (
            {"kind": "cron", "expr": " 0  7 * * 1 ", "tz": "Europe/Rome"},
            Errand("n", "do it", cron="0 7 * * 1"),
        ),
    ],
)
def test_times(schedule: dict[str, Any], expected: Errand) -> None:
    assert errands({"version": 1, "jobs": [job(schedule)]}, NOW) == ([expected], [])


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ({"kind": "at", "atMs": 1}, "over"),
        ({"kind": "at"}, "no time"),
        ({"kind": "every", "everyMs": 1000}, "once a minute"),
        ({"kind": "cron", "expr": "soon"}, "fields"),
        ({}, "no time"),
    ],
)
def test_what_can_not_fire_is_said(schedule: dict[str, Any], why: str) -> None:
    found, (note,) = errands({"jobs": [job(schedule)]}, NOW)

    assert found == []
    assert (note.fate, why in note.text) == (Fate.DROPPED, True)


@pytest.mark.parametrize(
    "payload",
    [
        {"channel": "telegram", "to": "42"},
        {"originChannel": "telegram", "originChatId": 42},
        {"sessionKey": "telegram:42"},
    ],
)
def test_where_it_was_asked_for(payload: dict[str, Any]) -> None:
    (found,), _ = errands({"jobs": [job({"kind": "every", "everyMs": 60_000}, **payload)]}, NOW)

    assert (found.channel, found.chat) == ("telegram", "42")


def test_the_programs_own_jobs_and_what_is_none() -> None:
    found, notes = errands(
        {"jobs": [{"id": "dream"}, 3, job({"kind": "every", "everyMs": 60_000}, message="")]}, NOW
    )

    assert found == []
    assert [note.fate for note in notes] == [Fate.IDLE, Fate.WRONG, Fate.DROPPED]
    assert errands("x", NOW)[1][0].fate is Fate.WRONG


def lines(*messages: dict[str, Any]) -> list[str]:
    return [json.dumps(message) for message in messages]


def test_a_turn_is_what_was_asked_with_its_answers() -> None:
    found = talk(
        lines(
            {"_type": "metadata", "key": "telegram:1"},
            {"role": "assistant", "content": "nobody asked"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "image_url"}],
                "timestamp": 1_770_000_000,
            },
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c", "timestamp": "2026-03-01T00:00:00+00:00"},
            {"role": "assistant", "tool_calls": [{}]},
            {"role": "tool", "content": "secret page"},
            {"role": "assistant", "content": "d"},
        ),
        "x",
        NOW,
    )

    assert found is not None
    assert (found.channel, found.chat) == ("telegram", "1")
    at, later = 1_770_000_000.0, 1_772_323_200.0
    assert found.turns == (
        (Line("user", "a", at), Line("assistant", "b", at)),
        (Line("user", "c", later), Line("assistant", "d", later, derived=True)),
    )
    assert found.left_out == 3


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("telegram_42", "telegram:42"),
        (base64.urlsafe_b64encode(b"telegram:-100:topic:7").decode().rstrip("="), "telegram:-100:topic:7"),
        ("notes", None),
    ],
)
def test_a_files_name_tells_whose_it_is(stem: str, key: str | None) -> None:
    found = talk(lines({"role": "user", "content": "a"}), stem, NOW)

    assert (found.key if found else None) == key

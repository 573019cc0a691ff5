"""`nanobot status`: what it shows of a bot that runs and of one that doesn't, and whether all is well."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.cli.options import Options
from bot.cli.status import duration, gather, render, stopped
from bot.storage.database import Database
from bot.storage.tables import Inbox, InboxState, Outbox, OutboxState
from tests.fakes.control import STATUS, FakeControl

NOW = 1_000_000.0 + 3 * 86_400 + 4 * 3600


def report(**changed: Any) -> dict[str, Any]:
    return {"running": True, **STATUS, **changed}


def row(screen: str, name: str) -> str:
    return next(line[len(name) :].strip() for line in screen.splitlines() if line.startswith(f"{name} "))


def test_a_healthy_bot_fits_on_a_screen() -> None:
    screen = render(report(), NOW)

    assert row(screen, "nanobot").startswith("1.2.3, running since ")
    assert row(screen, "nanobot").endswith(" (3 d 4 h, pid 42)")
    assert row(screen, "reasoning") == "big/one, then small/two"
    assert row(screen, "why these") == "both answered"
    assert row(screen, "terminal") == "up"
    assert row(screen, "replies") == "all delivered"
    assert "!" not in screen
    assert len(screen.splitlines()) < 24


def test_a_role_with_the_same_models_has_no_line_of_its_own() -> None:
    same = ["big/one", "small/two"]
    screen = render(report(models={"reasoning": same, "rlm": ["small/two"], "reflection": same}), NOW)

    assert row(screen, "rlm") == "small/two"
    assert "reflection" not in screen


def test_disk_and_sessions_have_their_lines() -> None:
    disk = {"free_bytes": 12_345_000_000, "database_bytes": 4_000_000}
    screen = render(report(disk=disk, sessions={"all": 47, "last_day": 3}), NOW)

    assert row(screen, "disk") == "12.3 GB free, the database has 4.0 MB"
    assert row(screen, "sessions") == "47, of which 3 used within a day"


def test_strangers_are_counted_by_channel() -> None:
    screen = render(report(strangers={"telegram": 3, "email": 12}), NOW)

    assert row(screen, "strangers") == "messages refused: 12 on email, 3 on telegram"


def test_what_a_channel_kept_aside_stands_below_it() -> None:
    kept = "2 mails kept aside: it is from a mailing list (List-Id)"
    screen = render(report(channels={"email": {"up": True, "notes": [kept]}}), NOW)

    lines = screen.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("email "))
    assert lines[at + 1].strip() == kept


def test_a_long_chain_is_shortened() -> None:
    screen = render(report(models={"reasoning": ["a/a", "b/b", "c/c", "d/d", "e/e"]}), NOW)

    assert row(screen, "reasoning") == "a/a, then b/b, then c/c, and 2 more"


def provider(**changed: Any) -> dict[str, Any]:
    return {
        "name": "big",
        "kind": "openai_compat",
        "address": "https://big.example/v1",
        "local": False,
        "keys": 1,
        "roles": {"reasoning": ["one"], "rlm": ["two"]},
        "state": "ok",
        "rests": [],
        **changed,
    }


REFUSED = {"scope": "credential:big", "name": "big's key", "until": NOW + 60, "reason": "was refused"}


def test_each_provider_has_its_line() -> None:
    waiting = provider(name="small", state="unasked", keys=2, roles={}, address="", kind="starter")
    screen = render(report(providers=[provider(), waiting]), NOW)

    assert row(screen, "big") == "ok; for reasoning, rlm; openai_compat at https://big.example/v1"
    assert row(screen, "small") == "not asked yet; for nothing; starter at this machine, 2 keys"


def test_what_rests_waits_and_failed_is_shown() -> None:
    resting = {
        "scope": "credential:big#2",
        "name": "big's key 2",
        "until": NOW + 60,
        "reason": "is out of credit",
    }
    screen = render(
        report(
            providers=[provider(state="resting", rests=[resting])],
            outbox={"queued": 2, "relayed": 3, "refused": 1},
            messages_waiting=3,
            turns_running=1,
        ),
        NOW,
    )

    assert row(screen, "big").startswith("resting; ")
    line = next(line for line in screen.splitlines() if "key 2" in line)
    assert line.strip().startswith("resting until ")
    assert line.endswith(": big's key 2 is out of credit")
    assert row(screen, "messages") == "3 taken and not answered yet, 1 being answered"
    assert row(screen, "replies") == "2 queued, 3 relayed, 1 refused"


async def test_a_healthy_bot_is_well(control: FakeControl, options: Options) -> None:
    told, well = await gather(options)

    assert (told["running"], well) == (True, True)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (
            {"channels": {"telegram": {"up": False, "detail": "the token is refused"}}},
            "telegram is down: the token is refused",
        ),
        ({"models": {"reasoning": []}}, "no model to answer with"),
        ({"resting": ["small/two", "big/one"]}, "no model can answer right now"),
        (
            {"providers": [provider(rests=[{**REFUSED, "needs_owner": True}])]},
            "big's key was refused; only you can mend that",
        ),
    ],
)
async def test_what_is_wrong_is_said_and_tells_scripts(
    control: FakeControl, options: Options, changed: dict[str, Any], complaint: str
) -> None:
    control.replies["GET /v1/status"] = (200, {**STATUS, **changed})

    told, well = await gather(options)

    assert not well
    assert f"! {complaint}" in render(told, NOW)


async def test_one_model_that_rests_by_itself_is_well(control: FakeControl, options: Options) -> None:
    rests = [{**REFUSED, "needs_owner": False}]
    changed = {"resting": ["big/one"], "providers": [provider(rests=rests)]}
    control.replies["GET /v1/status"] = (200, {**STATUS, **changed})

    told, well = await gather(options)

    assert well
    assert "!" not in render(told, NOW)


async def test_warnings_are_shown_and_harm_nothing(control: FakeControl, options: Options) -> None:
    control.replies["GET /v1/status"] = (200, {**STATUS, "warnings": ["c.toml:3: is ignored"]})

    told, well = await gather(options)

    assert well
    assert "! c.toml:3: is ignored" in render(told, NOW)


async def test_without_a_bot_it_says_so_and_how_to_start(options: Options) -> None:
    told, well = await gather(options)

    assert (told["running"], well) == (False, False)
    assert "not running" in render(told, NOW)
    assert "nanobot run" in render(told, NOW)
    assert not options.data_folder.exists()


async def test_what_a_stopped_bot_left_is_read_from_its_database(tmp_path: Path) -> None:
    def leave(db: Any) -> None:
        for key, state in (("1", InboxState.QUEUED), ("2", InboxState.QUEUED), ("3", InboxState.DONE)):
            db.add(
                Inbox(
                    channel="x",
                    key=key,
                    session="x:1",
                    person="o",
                    text="t",
                    sent_at=1,
                    received_at=1,
                    state=state,
                )
            )
        for outgoing in (OutboxState.QUEUED, OutboxState.REFUSED, OutboxState.SENT, OutboxState.SENT):
            db.add(Outbox(session="x:1", channel="x", chat="1", text="t", state=outgoing, created_at=1))

    database = await Database.open(tmp_path / "nanobot.db")
    await database.write(leave)

    told = stopped(tmp_path)  # while somebody has it open, too
    await database.aclose()

    assert stopped(tmp_path) == told
    assert told["messages_waiting"] == 2
    assert told["outbox"] == {"queued": 1, "refused": 1}
    screen = render(told, NOW)
    assert row(screen, "messages") == "2 taken and not answered yet"
    assert row(screen, "replies") == "1 queued, 1 refused"


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one " * 30, b""])
def test_a_database_that_can_not_be_read_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "nanobot.db").write_bytes(content)

    shown = render(stopped(tmp_path), NOW)
    assert "can't be read" in shown
    assert "delivered" not in shown
    assert (tmp_path / "nanobot.db").read_bytes() == content


def test_reading_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "nanobot.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE inbox (state TEXT)")
        db.execute("CREATE TABLE outbox (state TEXT)")
        db.commit()
    before = file.read_bytes(), sorted(tmp_path.iterdir())

    stopped(tmp_path)

    assert (file.read_bytes(), sorted(tmp_path.iterdir())) == before


def test_a_socket_that_is_not_ours_is_named(tmp_path: Path) -> None:
    assert "may not open" in render(stopped(tmp_path, Path("/run/nanobot/control.sock")), NOW)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_600, "1 h 0 min"), (90_000, "1 d 1 h")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said

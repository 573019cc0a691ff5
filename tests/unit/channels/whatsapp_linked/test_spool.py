"""What came stays until it is taken, and what was sent is remembered, whatever is killed."""

from __future__ import annotations

from pathlib import Path

from channels.adapters.whatsapp.linked.spool import Origin, Spool


def origin(key: str) -> Origin:
    return Origin(key, "1@s.whatsapp.net", "1@s.whatsapp.net")


def test_what_came_is_there_for_the_next_process_in_its_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    numbers = [spool.add(origin(key), f'"{key}"') for key in "bac"]

    assert Spool(tmp_path / "spool.db").waiting() == list(zip(numbers, ['"b"', '"a"', '"c"'], strict=True))


def test_what_was_taken_is_gone_and_says_where_it_came_from(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    first, second = (spool.add(origin(key), "{}") for key in "ab")

    assert spool.taken([first, 99]) == [origin("a")]
    assert spool.waiting() == [(second, "{}")]


def test_the_same_message_waits_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")

    assert spool.add(origin("a"), "{}") > 0
    assert spool.add(origin("a"), "{}") == 0
    assert len(spool.waiting()) == 1


def test_numbers_are_never_used_again(tmp_path: Path) -> None:
    """A late word that number 1 was taken must not take another message."""
    spool = Spool(tmp_path / "spool.db")
    first = spool.add(origin("a"), "{}")
    spool.taken([first])

    assert spool.add(origin("b"), "{}") > first


def test_what_was_sent_is_remembered_for_a_day(tmp_path: Path) -> None:
    now = 1000.0
    spool = Spool(tmp_path / "spool.db", lambda: now)
    spool.remember("key", "3EB0")
    assert Spool(tmp_path / "spool.db").sent("key") == "3EB0"
    assert spool.sent("another") == ""

    now += 100_000.0
    spool.remember("later", "3EB1")
    assert spool.sent("key") == ""
    assert spool.sent("later") == "3EB1"

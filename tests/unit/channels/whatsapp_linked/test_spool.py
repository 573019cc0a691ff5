"""What came stays until it is taken, and what was sent is remembered, whatever is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from channels.adapters.whatsapp.linked.spool import Origin, Spool


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    """Opens the same spool again and again."""
    with ExitStack() as stack:
        yield lambda *clock: stack.enter_context(closing(Spool(tmp_path / "spool.db", *clock)))


def origin(key: str) -> Origin:
    return Origin(key, "1@s.whatsapp.net", "1@s.whatsapp.net")


def test_what_came_is_there_for_the_next_process_in_its_order(opened: Callable[..., Spool]) -> None:
    spool = opened()
    numbers = [spool.add(origin(key), f'"{key}"') for key in "bac"]

    assert opened().waiting() == list(zip(numbers, ['"b"', '"a"', '"c"'], strict=True))


def test_what_was_taken_is_gone_and_says_where_it_came_from(opened: Callable[..., Spool]) -> None:
    spool = opened()
    first, second = (spool.add(origin(key), "{}") for key in "ab")

    assert spool.taken([first, 99]) == [origin("a")]
    assert spool.waiting() == [(second, "{}")]


def test_the_same_message_waits_once(opened: Callable[..., Spool]) -> None:
    spool = opened()

    assert spool.add(origin("a"), "{}") > 0
    assert spool.add(origin("a"), "{}") == 0
    assert len(spool.waiting()) == 1


def test_numbers_are_never_used_again(opened: Callable[..., Spool]) -> None:
    """A late word that number 1 was taken must not take another message."""
    spool = opened()
    first = spool.add(origin("a"), "{}")
    spool.taken([first])

    assert spool.add(origin("b"), "{}") > first


def test_what_was_sent_is_remembered_for_a_day(opened: Callable[..., Spool]) -> None:
    now = 1000.0
    spool = opened(lambda: now)
    spool.remember("key", "3EB0")
    assert opened().sent("key") == "3EB0"
    assert spool.sent("another") == ""

    now += 100_000.0
    spool.remember("later", "3EB1")
    assert spool.sent("key") == ""
    assert spool.sent("later") == "3EB1"

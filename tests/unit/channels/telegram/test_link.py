"""How long to wait, and what is news."""

from __future__ import annotations

import itertools

import pytest

from channels.adapters.telegram.errors import Trouble
from channels.adapters.telegram.link import Link


def link(*, up: bool = False, random: float = 1.0) -> Link:
    made = Link(random=lambda: random)
    if up:
        assert made.worked(0.0) == "receiving"
    return made


@pytest.mark.parametrize(
    ("trouble", "most"), [(Trouble.LOST, 30), (Trouble.POLLER, 30), (Trouble.TOKEN, 300)]
)
def test_waits_double_up_to_a_bound(trouble: Trouble, most: float) -> None:
    tried = link()
    waits = [tried.failed(trouble, "x", 0.0)[0] for _ in range(100)]

    assert all(later in {2 * earlier, most} for earlier, later in itertools.pairwise(waits))
    assert waits[-1] == most


def test_waits_are_spread() -> None:
    waits = {link(random=value).failed(Trouble.LOST, "x", 0.0)[0] for value in (0.0, 0.5)}

    assert waits == {0.8, 0.9}


def test_trouble_is_news_once_and_so_is_its_end() -> None:
    tried = link(up=True)

    assert [tried.failed(Trouble.TOKEN, "refused", 1.0)[1] for _ in range(3)] == ["refused", "", ""]
    assert (tried.up, tried.detail) == (False, "refused")
    assert [tried.worked(2.0), tried.worked(3.0)] == ["receiving again", ""]
    assert (tried.up, tried.detail) == (True, "")


def test_another_trouble_is_news_again() -> None:
    tried = link(up=True)
    tried.failed(Trouble.TOKEN, "refused", 1.0)

    assert tried.failed(Trouble.LOST, "lost", 2.0)[1] == "lost"
    assert tried.detail == "lost"


def test_one_broken_connection_is_no_news_but_a_second_is() -> None:
    tried = link(up=True)

    assert (tried.failed(Trouble.LOST, "lost", 1.0)[1], tried.up) == ("", True)
    assert (tried.failed(Trouble.LOST, "lost", 2.0)[1], tried.up) == ("lost", False)
    tried.worked(3.0)
    assert tried.failed(Trouble.LOST, "lost", 4.0)[1] == ""


def test_before_the_first_success_nothing_is_up() -> None:
    tried = link()

    assert (tried.up, tried.detail) == (False, "connecting")
    assert tried.failed(Trouble.LOST, "lost", 1.0)[1] == "lost"


def test_another_poller_counts_as_gone_after_a_minute() -> None:
    tried = link(up=True)
    tried.failed(Trouble.POLLER, "two", 100.0)

    assert (tried.worked(130.0), tried.up) == ("", False)
    assert tried.failed(Trouble.POLLER, "two", 131.0)[1] == ""
    assert tried.worked(190.0) == ""
    assert (tried.worked(191.0), tried.up) == ("receiving again", True)

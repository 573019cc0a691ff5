"""Previews take turns in a group and are silent where Telegram asked for it."""

from __future__ import annotations

from channels.adapters.telegram.pacing import PreviewPace
from channels.types import Address

ME = Address("telegram", "42")
ONE, TWO, OTHER = (
    Address("telegram", "-100", "1"),
    Address("telegram", "-100", "2"),
    Address("telegram", "-200"),
)


def test_in_private_only_telegram_sets_the_pace() -> None:
    pace = PreviewPace()

    assert [pace.allows(ME, now, first=False) for now in (0.0, 0.1, 0.2)] == [True] * 3
    pace.quiet(ME, 1.0, 5.0)
    assert [pace.allows(ME, now, first=True) for now in (1.0, 5.9, 6.0)] == [False, False, True]


def test_a_group_bears_an_edit_every_few_seconds() -> None:
    pace = PreviewPace()
    shown = [now for now in range(60) if pace.allows(ONE, now, first=False)]

    assert 10 < len(shown) <= 17


def test_first_previews_are_not_put_off() -> None:
    pace = PreviewPace()

    assert [pace.allows(topic, 0.0, first=True) for topic in (ONE, TWO, ONE)] == [True] * 3


def test_topics_of_a_group_take_turns() -> None:
    pace = PreviewPace()
    asked = [(now / 2, topic) for now in range(120) for topic in (ONE, TWO)]
    shown = [topic for now, topic in asked if pace.allows(topic, now, first=False)]

    assert 10 < len(shown) <= 18
    assert abs(shown.count(ONE) - shown.count(TWO)) <= 1


def test_a_topic_that_is_done_does_not_hold_up_the_others() -> None:
    pace = PreviewPace()
    pace.allows(ONE, 0.0, first=True)
    pace.allows(TWO, 1.0, first=False)
    pace.allows(ONE, 2.0, first=False)

    assert any(pace.allows(ONE, now, first=False) for now in (4.0, 5.0, 6.0, 7.0))


def test_groups_do_not_wait_for_each_other() -> None:
    pace = PreviewPace()

    assert [pace.allows(group, 0.0, first=False) for group in (ONE, OTHER, ME)] == [True] * 3

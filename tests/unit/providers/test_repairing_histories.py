"""Whatever was left of a conversation, each call is directly followed by its result."""

from __future__ import annotations

from providers.history import LOST_RESULT, repaired
from providers.types import Message, ToolCall

ASKED = Message("user", "look")


def calling(*ids: str) -> Message:
    return Message("assistant", "", tuple(ToolCall(id_, "look", {}) for id_ in ids))


def result(id_: str, text: str) -> Message:
    return Message("tool", text, tool_call_id=id_)


def test_a_sound_history_stays_as_it_is() -> None:
    history = (
        Message("system", "Be kind."),
        ASKED,
        calling("a", "b"),
        result("a", "1"),
        result("b", "2"),
        Message("assistant", "Done."),
    )

    assert repaired(history) == history


def test_a_call_without_its_result_gets_one_that_says_so() -> None:
    assert repaired((ASKED, calling("a"), ASKED)) == (ASKED, calling("a"), result("a", LOST_RESULT), ASKED)


def test_a_result_without_its_call_is_left_out() -> None:
    assert repaired((result("a", "1"), ASKED, result("b", "2"))) == (ASKED,)


def test_late_and_swapped_results_go_where_they_belong() -> None:
    history = (calling("a", "b"), ASKED, result("b", "2"), result("a", "1"))

    assert repaired(history) == (calling("a", "b"), result("a", "1"), result("b", "2"), ASKED)


def test_a_second_result_for_the_same_call_is_left_out() -> None:
    assert repaired((calling("a"), result("a", "1"), result("a", "2"))) == (calling("a"), result("a", "1"))


def test_ids_that_occur_again_are_told_apart_each_with_its_own_result() -> None:
    history = (calling("a"), result("a", "1"), calling("a", "a"), result("a", "2"), result("a", "3"))

    assert repaired(history) == (
        calling("a"),
        result("a", "1"),
        calling("a_2", "a_3"),
        result("a_2", "2"),
        result("a_3", "3"),
    )


def test_ids_that_not_every_server_takes_are_replaced() -> None:
    long = "x" * 100
    history = (calling("functions.look:0", "", long), result("functions.look:0", "1"))

    calls = repaired(history)[0].tool_calls

    assert [call.id for call in calls] == ["functions_look_0", "call", "x" * 64]

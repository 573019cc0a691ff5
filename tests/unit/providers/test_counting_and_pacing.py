"""Token estimates, and the owner's own limit on requests."""

from __future__ import annotations

from providers.pace import Pace
from providers.plan import plan
from providers.router import Candidate
from providers.tokens import estimate_tokens
from providers.types import ChatRequest, Message, ModelInfo, Route, ToolCall, ToolDef

NOW = 1_800_000_000.0


def test_an_estimate_is_near_what_tokenizers_count() -> None:
    english = Message("user", "The quick brown fox jumps over the lazy dog. " * 100)
    chinese = Message("user", "敏捷的棕色狐狸跳过懒狗。" * 100)

    assert 800 < estimate_tokens([english]) < 1400  # about 1,000 tokens
    assert 700 < estimate_tokens([chinese]) < 1400


def test_tools_and_calls_count() -> None:
    tool = ToolDef("look", "Looks at things.", {"type": "object", "properties": {"at": {"type": "string"}}})
    call = Message("assistant", "", (ToolCall("c1", "look", {"at": "x" * 350}),))

    assert estimate_tokens([], [tool]) > 20
    assert estimate_tokens([call]) > 100
    assert estimate_tokens([]) == 0


def test_broken_surrogates_count_too() -> None:
    assert estimate_tokens([Message("user", "\ud800")]) > 0


def candidate(window: int | None) -> Candidate:
    return Candidate(Route("p", "m"), ModelInfo("m", window), local=False)


def test_the_answer_needs_room_too_but_not_more_than_a_quarter() -> None:
    prompt = (Message("user", "x" * 2450),)  # about 700 tokens

    def fits(window: int, max_tokens: int | None) -> bool:
        [step] = plan([candidate(window)], ChatRequest(prompt, max_tokens=max_tokens))
        return not step.shortage

    assert fits(1000, None)
    assert fits(1000, 4000)
    assert not fits(900, None)
    assert fits(900, 100)
    assert not fits(600, 1)


def test_an_unknown_window_is_large_enough() -> None:
    [step] = plan([candidate(None)], ChatRequest((Message("user", "x" * 10_000_000),)))

    assert step.shortage == ""


def test_no_limit_means_no_wait() -> None:
    pace = Pace()
    for _ in range(100):
        pace.note("p", None, NOW)

    assert pace.ready_at("p", None, NOW) <= NOW


def test_the_window_slides() -> None:
    pace = Pace()
    for second in (0, 10, 20):
        assert pace.ready_at("p", 3, NOW + second) <= NOW + second
        pace.note("p", 3, NOW + second)

    assert pace.ready_at("p", 3, NOW + 30) == NOW + 60
    assert pace.ready_at("other", 3, NOW + 30) <= NOW + 30
    assert pace.ready_at("p", 3, NOW + 60) <= NOW + 60
    pace.note("p", 3, NOW + 60)
    assert pace.ready_at("p", 3, NOW + 61) == NOW + 70


def test_a_clock_set_back_does_not_block_for_ever() -> None:
    pace = Pace()
    pace.note("p", 1, NOW)

    assert pace.ready_at("p", 1, NOW - 10_000) <= NOW - 10_000

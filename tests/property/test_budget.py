"""What is left out of a conversation that is too long: its oldest turns, whole, and no more than needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.context.budget import DEFAULT_WINDOW, fit, prompt_budget
from providers.tokens import estimate_tokens
from providers.types import Message, ToolCall, ToolDef

SYSTEM = Message("system", "You are kind.")
texts = st.text(max_size=60)


@st.composite
def a_turn(draw: st.DrawFn) -> list[Message]:
    """A question, maybe some calls with their results, and an answer."""
    calls = [
        ToolCall(f"c{n}", "clock", {"zone": text}) for n, text in enumerate(draw(st.lists(texts, max_size=3)))
    ]
    acted = [Message("assistant", tool_calls=(call,)) for call in calls]
    results = [Message("tool", draw(texts), tool_call_id=call.id) for call in calls]
    between = [message for pair in zip(acted, results, strict=True) for message in pair]
    return [Message("user", draw(texts)), *between, Message("assistant", draw(texts))]


@given(history=st.lists(a_turn(), max_size=8), said=a_turn(), budget=st.integers(0, 600))
def test_the_newest_turns_that_fit_are_kept_whole_and_in_order(
    history: list[list[Message]], said: list[Message], budget: int
) -> None:
    fitted = fit(SYSTEM, history, said, budget=budget).messages
    tails = [[m for turn in history[first:] for m in turn] for first in range(len(history) + 1)]
    assert fitted[0].content.startswith(SYSTEM.content)
    kept = next(tail for tail in tails if (*tail, *said) == fitted[1:])
    assert "left out" in fitted[0].content or len(kept) == len(tails[0])
    assert not kept or estimate_tokens(fitted) <= budget + len(history)  # each turn is rounded by itself
    more = next((tail for tail in reversed(tails) if len(tail) > len(kept)), None)
    if more is not None:
        assert (
            estimate_tokens([fitted[0], *more, *said]) >= budget - len(history) - 1
        )  # the note's number is shorter


@given(
    window=st.none() | st.integers(1, 1_000_000),
    max_tokens=st.integers(1, 100_000),
    tools=st.lists(st.builds(ToolDef, texts, texts, st.just({"type": "object"})), max_size=5),
)
def test_there_is_room_for_the_answer_and_always_some_for_the_prompt(
    window: int | None, max_tokens: int, tools: list[ToolDef]
) -> None:
    room = prompt_budget(window, max_tokens, tools)
    whole = window or DEFAULT_WINDOW
    assert whole // 4 <= room <= whole
    if not tools and max_tokens <= whole // 4:
        assert room == whole - max_tokens

"""Tokens and money of an answer, as each server puts them."""

from __future__ import annotations

from typing import Any

import pytest

from providers.anthropic_answer import BlockAssembly
from providers.assembly import Assembly
from providers.tokens import PER_IMAGE, estimate_tokens
from providers.types import Image, Message, Route, Thoughts, Usage
from providers.usage import usage_of

OPENROUTER = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 80},
    "completion_tokens_details": {"reasoning_tokens": 30},
    "cost": 0.00042,
}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (OPENROUTER, Usage(100, 50, 80, 30, 0.00042)),
        (
            {**OPENROUTER, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.001}},
            Usage(100, 50, 80, 30, 0.00142),
        ),
        ({**OPENROUTER, "cost": 0}, Usage(100, 50, 80, 30, 0.0)),
        ({**OPENROUTER, "cost": "free"}, Usage(100, 50, 80, 30, None)),
        ({**OPENROUTER, "cost": float("nan")}, Usage(100, 50, 80, 30, None)),
        # DeepSeek
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 2,
                "prompt_cache_hit_tokens": 8,
                "prompt_cache_miss_tokens": 2,
            },
            Usage(10, 2, 8),
        ),
        # Google: thoughts are in the total only
        (
            {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 100},
            Usage(10, 90),
        ),
        ({"prompt_tokens": None, "completion_tokens": -1, "total_tokens": "x"}, Usage()),
        ({"prompt_tokens_details": None, "completion_tokens_details": []}, Usage()),
        ({}, Usage()),
    ],
)
def test_usage_is_read_in_every_spelling(usage: dict[str, Any], expected: Usage) -> None:
    assert usage_of(usage) == expected


def test_groqs_own_place_for_it_is_known() -> None:
    assembly = Assembly(tools=False)
    assembly.add({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})
    assembly.add({"choices": [], "x_groq": {"usage": {"prompt_tokens": 7, "completion_tokens": 1}}})

    assert assembly.finish()[1].usage == Usage(7, 1)


def test_anthropics_counts_add_up_and_tell_the_thoughts() -> None:
    counts = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    assembly = BlockAssembly()
    assembly.add({"type": "message_start", "message": {"usage": counts}})
    assembly.add({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}})
    usage = {"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 12}}
    assembly.add({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})
    assembly.add({"type": "message_stop"})

    assert assembly.finish()[1].usage == Usage(125, 30, 100, 12, written_tokens=20)


def test_images_and_what_goes_back_of_thoughts_count_in_the_estimate() -> None:
    plain = estimate_tokens([Message("user", "hello")])
    photos = (Image("image/png", b"x" * 100_000),) * 2
    thoughts = Thoughts(Route("p", "m"), ({"type": "thinking", "thinking": "x" * 3500, "signature": ""},))

    assert estimate_tokens([Message("user", "hello", images=photos)]) == plain + 2 * PER_IMAGE
    assert 1000 < estimate_tokens([Message("assistant", "hello", thoughts=thoughts)]) - plain < 1050

"""What a model is told: the owner's persona where there is one, the place and the day, and little for a tiny model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.context.prompt import PERSONA_FILE, PromptBuilder, Scene
from providers.types import Message, ToolCall

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def prompts(tmp_path: Path) -> PromptBuilder:
    return PromptBuilder(tmp_path, lambda: NOON)


def test_place_and_day_come_last_so_that_the_rest_can_be_cached(prompts: PromptBuilder) -> None:
    text = prompts.system(Scene("telegram")).content
    assert text.startswith("You are a personal assistant")
    assert text.endswith("You are talking over telegram. Today is Wednesday 04 March 2026.")


def test_the_persona_is_read_anew_each_time_and_bounded(prompts: PromptBuilder, tmp_path: Path) -> None:
    persona = tmp_path / PERSONA_FILE
    persona.write_text("You are a pirate.\n")
    assert prompts.system(Scene("x")).content.startswith("You are a pirate.\n\nUse tools")
    persona.write_bytes(b"caf\xe9 " * 100_000)
    assert 8000 < len(prompts.system(Scene("x")).content) < 9000
    persona.write_text("  \n")
    assert prompts.system(Scene("x")).content.startswith("You are a personal assistant")
    persona.unlink()
    persona.mkdir()
    assert prompts.system(Scene("x")).content.startswith("You are a personal assistant")


def test_a_tiny_model_gets_the_last_words_only(prompts: PromptBuilder) -> None:
    history = [[Message("user", f"q{n}"), Message("assistant", f"a{n}")] for n in range(5)]
    call = Message("assistant", tool_calls=(ToolCall("1", "clock", {}),))
    said = [Message("user", "x" * 5000), call, Message("tool", "noon", tool_call_id="1")]
    system, *talk = prompts.brief(history, said)
    assert system.role == "system"
    assert [message.content[:2] for message in talk] == ["q3", "a3", "q4", "a4", "xx"]
    assert len(talk[-1].content) == 600

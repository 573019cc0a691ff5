"""Questions about the set-up are answered by code while only the tiny model could; it never sees those answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import onboarding
from bot.context.prompt import PromptBuilder
from providers.types import Message, ModelInfo

TINY = [ModelInfo("smol", tiny=True)]
LARGE = [ModelInfo("large"), ModelInfo("smol", tiny=True)]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("how do I connect telegram?", "@BotFather"),
        ("what are you?", "SmolLM2"),
        ("Which model is this?", "SmolLM2"),
        ("how can I add an api key?", "openrouter.ai"),
        ("can you read my files?", "Not yet."),
        ("do you have access to the internet?", "Not yet."),
        ("could you remind me tomorrow?", "Not yet."),
    ],
)
def test_a_question_about_the_setup_is_answered_with_facts(question: str, told: str) -> None:
    assert told in onboarding.answer(question, TINY)
    assert onboarding.answer(question, LARGE) == ""


@pytest.mark.parametrize(
    "question", ["why is the sky blue?", "write a poem about the sea", "what time is it?"]
)
def test_everything_else_is_the_models(question: str) -> None:
    assert onboarding.answer(question, TINY) == ""


def test_installing_the_built_in_model_is_advised_only_where_there_is_none() -> None:
    assert "nanobot local install" in onboarding.answer("hello", [])
    assert "nanobot local install" not in onboarding.answer("how do I get a better model?", TINY)


def test_where_the_configuration_file_is_is_said() -> None:
    for question in ("how do I connect telegram?", "how can I add an api key?"):
        assert "~/.config/nanobot/config.toml" in onboarding.answer(question, TINY)


def test_the_tiny_model_does_not_see_answers_that_code_gave(tmp_path: Path) -> None:
    told = onboarding.answer("what are you?", TINY)
    talk = (Message("user", "my name is Ann"), Message("assistant", "hello Ann"))
    asked = (Message("user", "what are you?"), Message("assistant", told))
    brief = PromptBuilder(tmp_path, lambda: 0.0).brief([talk, asked], [Message("user", "and now?")])
    assert [message.content for message in brief[1:]] == ["my name is Ann", "hello Ann", "and now?"]

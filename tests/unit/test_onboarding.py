"""Questions about the set-up are answered by code where no good model could, and only there."""

from __future__ import annotations

import pytest

from bot import onboarding
from providers.types import ModelInfo

TINY, GOOD = ModelInfo("starter", tiny=True), ModelInfo("gpt")


def test_with_no_model_every_question_is_answered_with_a_way_to_one() -> None:
    assert "no model" in onboarding.answer("what is the capital of France?", [])
    assert "BotFather" in onboarding.answer("how do I use Telegram?", [])


@pytest.mark.parametrize("question", ["who are you?", "use a better model", "Telegram?", "my api key"])
def test_a_good_model_answers_everything_itself(question: str) -> None:
    assert onboarding.answer(question, [TINY, GOOD]) == ""


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("how do I get a better model?", "openrouter"),
        ("How can I SET UP an API key", "openrouter"),
        ("can I reach you on telegram", "BotFather"),
        ("who are you", "nanobot"),
        ("which model is this?", "nanobot"),
    ],
)
def test_with_the_tiny_model_only_the_set_up_is_told_by_code(question: str, said: str) -> None:
    assert said in onboarding.answer(question, [TINY])


@pytest.mark.parametrize("question", ["hello", "what is the capital of France?", "tell me about birds", ""])
def test_everything_else_is_left_to_the_tiny_model(question: str) -> None:
    assert onboarding.answer(question, [TINY]) == ""

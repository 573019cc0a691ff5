"""The empty prompt stays small: persona, rules, and every tool there is, for whoever holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import plugins
from bot.agent.workers import REPORT
from bot.context.prompt import PromptBuilder, Scene
from bot.safety.rules import Situation
from bot.toolbox import Kit, Toolbox, ToolSpec
from providers.tokens import estimate_tokens

MOST_TOKENS = 2_000


def everything() -> Toolbox:
    return Toolbox(plugins.load("bot.tools", name, ToolSpec) for name in plugins.names("bot.tools"))


@pytest.mark.parametrize(
    ("who", "tools"),
    [
        ("main alone", everything().without("delegate")),
        ("main with a runner", everything().kit(Kit.MAIN, Kit.BOTH, Kit.HANDING_ON)),
        ("a runner", everything().kit(Kit.WORK, Kit.BOTH, Kit.HANDING_ON).showing(REPORT)),
    ],
)
def test_the_empty_prompt_is_under_two_thousand_tokens(tmp_path: Path, who: str, tools: Toolbox) -> None:
    system = PromptBuilder(tmp_path, lambda: 0.0).system(Scene("telegram"))

    assert estimate_tokens([system], tools.offered(Situation())) < MOST_TOKENS, who

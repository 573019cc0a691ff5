"""Who holds which tools: Main alone, or Main with a runner for the legwork."""

from __future__ import annotations

from bot.toolbox import Kit, Toolbox
from providers.client import ModelClient

MAIN = "reasoning"
RUNNER = "rlm"
READ_SKILL = "skill_read"
HANDING_ON = ("delegate", "spawn")
"""The tools that take a profile."""


def hands_on(models: ModelClient, chosen: str = "") -> bool:
    """Whether Main has a runner: another model than itself that can use tools. `chosen` is what the person set."""
    main = next((c.route for c in models.candidates(chosen or MAIN)), None)
    runner = next(
        (c for c in models.candidates(RUNNER) if not c.info.tiny and c.info.tools is not False), None
    )
    return main is not None and runner is not None and runner.route != main


def main_tools(toolbox: Toolbox, models: ModelClient, chosen: str = "") -> Toolbox:
    """Main's tools: with a runner to hand work to, everything but those of work; alone, all of them."""
    if hands_on(models, chosen) and "delegate" in toolbox:
        return toolbox.kit(Kit.MAIN, Kit.BOTH, Kit.HANDING_ON)
    return toolbox.without("delegate")

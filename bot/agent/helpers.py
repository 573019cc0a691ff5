"""What a system prompt says of the help there is: kinds of workers, and skills."""

from __future__ import annotations

from collections.abc import Iterable

from bot.agent.profiles import Profile, Profiles
from bot.agent.roles import HANDING_ON, READ_SKILL
from bot.skills.shelf import Skills
from bot.toolbox import Toolbox

_WORKERS_CHARS = 1_600
_DESCRIPTION_CHARS = 200


async def introduced(tools: Toolbox, profiles: Profiles, skills: Skills) -> str:
    """Both lists, as far as there are tools to make use of them; "" for none."""
    workers = listed(profiles.listed()) if any(name in tools for name in HANDING_ON) else ""
    known = await skills.prompt() if READ_SKILL in tools else ""
    return "\n\n".join(part for part in (workers, known) if part)


def listed(profiles: Iterable[Profile]) -> str:
    """Names and descriptions, as many as the budget allows."""
    lines: list[str] = []
    left = _WORKERS_CHARS
    for profile in profiles:
        about = " ".join(profile.description.split())
        line = f"- {profile.name}: {about[:_DESCRIPTION_CHARS]}"
        left -= len(line) + 1
        lines.append(line if left >= 0 else f"- {profile.name}")
    return "\n".join(["Kinds of workers, for `profile` when you hand work on:", *lines]) if lines else ""

"""`nanobot skills`: which there are, and which the owner lets the models follow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.cli.options import Options
from bot.cli.output import harmless
from bot.cli.reach import reaching

_INDENT = "  "


async def gather(options: Options) -> list[dict[str, Any]]:
    """Every skill, from the bot that runs, else from one opened here. Raises BotError."""
    async with reaching(options) as client:
        return await client.skills()


async def act(options: Options, name: str, action: str) -> dict[str, Any]:
    """Enable or disable one. Raises BotError."""
    async with reaching(options) as client:
        return await client.skill(name, action)


def render(skills: Sequence[Mapping[str, Any]]) -> str:
    """For a person: a paragraph for each."""
    if not skills:
        return "There are no skills. Each is a folder of skills/ in the workspace with a file SKILL.md."
    return harmless("\n\n".join("\n".join(_lines(skill)) for skill in skills))


def enabled(skill: Mapping[str, Any]) -> str:
    """What a yes was given to."""
    files = ", ".join(skill["files"])
    lines = [f"{skill['name']} is enabled as it is now: {files}. With any change to these it is off again."]
    lines += [f"Not found on this machine: {', '.join(skill['missing'])}"] if skill["missing"] else []
    return harmless("\n".join(lines))


def _lines(skill: Mapping[str, Any]) -> Iterator[str]:
    yield f"{skill['name']}: {skill['state']}"
    if skill["problem"]:
        yield _INDENT + skill["problem"]
        return
    yield _INDENT + skill["description"]
    if skill["missing"]:
        yield f"{_INDENT}not found on this machine: {', '.join(skill['missing'])}"
    if skill["enabled_at"]:
        when = time.strftime("%d %b %Y", time.localtime(skill["enabled_at"]))
        yield f"{_INDENT}enabled on {when} by {skill['enabled_by']}"
    if skill["state"] != "enabled":
        yield f"{_INDENT}`nanobot skills enable {skill['name']}` lets the models follow it; read its files before"

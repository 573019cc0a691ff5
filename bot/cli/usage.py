"""`nanobot usage`: what models were asked for, what it cost, and what is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot import usage_table
from bot.cli.options import Options
from bot.cli.output import harmless
from bot.cli.reach import reaching
from bot.usage_table import By


async def gather(options: Options) -> dict[str, Any]:
    """What `nanobot usage --json` prints: from the bot that runs, else from one opened here. Raises BotError."""
    async with reaching(options) as client:
        return await client.usage()


def render(report: Mapping[str, Any], by: By) -> str:
    return harmless(usage_table.render(report, by))

"""`nanobot reload`: the running daemon takes up what the configuration says now."""

from __future__ import annotations

from typing import Any

from bot.cli.client import Client, search
from bot.cli.options import Options
from bot.errors import NotRunning


async def ask(options: Options) -> dict[str, Any]:
    """What came of it, as `Client.reload` has it. Raises BotError."""
    found = search(options.sockets)
    if found.found is None:
        if found.denied is not None:
            raise NotRunning(
                f"a nanobot listens on {found.denied}, which you may not open; are you in its group?"
            )
        raise NotRunning(
            "no daemon runs that could reload; `nanobot run` starts one with the configuration as it is"
        )
    async with Client(found.found) as client:
        return await client.reload()


def refused(report: dict[str, Any]) -> str:
    """What a person reads of a configuration that can't be used."""
    return "\n".join([*report["problems"], "Nothing was changed: the configuration from before goes on."])

"""`nanobot resolve NAME`: which models a name stands for, and how that came about."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bot.cli.client import Client, search
from bot.cli.options import Options
from bot.errors import BotError


async def resolve(options: Options, name: str) -> dict[str, Any]:
    """{"name", "routes", "steps"}: from the bot that runs, which knows what its servers list, else as a start would.

    Raises BotError for a name that stands for nothing.
    """
    running = search(options.sockets).found
    if running is not None:
        async with Client(running) as client:
            return await client.resolve(name)
    return await _as_a_start(options, name)


async def _as_a_start(options: Options, name: str) -> dict[str, Any]:
    from bot.catalogues import MEASURED_OVER  # noqa: PLC0415 -- as below
    from bot.discovery import Discovery  # noqa: PLC0415 -- httpx and more; a bot that runs saves it
    from bot.storage.snapshot import snapshot  # noqa: PLC0415 -- as above
    from providers.client import ModelClient  # noqa: PLC0415 -- as above
    from providers.errors import UnknownName  # noqa: PLC0415 -- as above

    discovery = Discovery(options.load().config, options.env)
    left = snapshot(options.data_folder / "nanobot.db", time.time() - MEASURED_OVER)
    models = ModelClient(await discovery.catalog(), store=left)
    await models.restore()
    for provider in models.gateways():
        if provider in left.lists:
            models.stock(provider, left.lists[provider].models, left.measured)
    try:
        found = models.resolve(name)
    except UnknownName as error:
        raise BotError(f"{error}") from error
    return {"name": name, "routes": [str(route) for route in found.routes], "steps": list(found.steps)}


def render(found: Mapping[str, Any]) -> str:
    """For a person: the models in the order in which they are tried, and the steps that led there."""
    routes = [f"  {number}. {route}" for number, route in enumerate(found["routes"], 1)]
    steps = [f"  - {step}" for step in found["steps"]]
    return "\n".join([f"{found['name']}:", *routes, *(["because:", *steps] if steps else [])])

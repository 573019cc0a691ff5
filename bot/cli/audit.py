"""`nanobot audit`: whether the log of what tools did is whole, and what stands in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.cli.client import Client, search
from bot.cli.options import Options
from bot.cli.output import harmless
from bot.cli.reach import complain, reaching
from bot.errors import BotError


async def examine(options: Options) -> dict[str, Any]:
    """{"entries", "faults"}: by the bot that runs, else from its database alone. Raises BotError, OSError."""
    running = search(options.sockets).found
    if running is not None:
        async with Client(running) as client:
            return await client.audit_faults()
    from bot.ops.audit import examined  # noqa: PLC0415 -- the database; a client goes without
    from bot.storage.database import Database  # noqa: PLC0415 -- as above
    from bot.storage.lock import locked  # noqa: PLC0415 -- as above

    file = options.data_folder / "nanobot.db"
    if not file.exists():
        raise BotError(f"{file}: there is no database, so there is no log; --data names another folder")
    async with locked(options.data_folder, complain):
        database = await Database.open(file)
        try:
            return await examined(database)
        finally:
            await database.aclose()


async def entries(options: Options, session: str, last: int) -> list[dict[str, Any]]:
    """Raises BotError."""
    async with reaching(options) as client:
        return await client.audit(session, last)


def verdict(report: Mapping[str, Any]) -> str:
    if not report["faults"]:
        return f"The log is whole, none changed, none missing; entries: {report['entries']}."
    return harmless("\n".join(["The log was changed after it was written:", *report["faults"]]))


def render(found: Sequence[Mapping[str, Any]]) -> str:
    from bot.ops.audit import line  # noqa: PLC0415 -- the database

    return harmless("\n".join(line(one) for one in found)) or "No tool was used yet."

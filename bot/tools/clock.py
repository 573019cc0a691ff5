"""The time of day, which no model knows."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field

from bot.toolbox import Act, ToolContext, ToolError, ToolFunction, ToolSpec


class ClockArguments(BaseModel):
    timezone: str = Field(default="", description="such as Europe/Rome; else the person's")


async def tell_time(context: ToolContext, arguments: ClockArguments) -> str:
    now = datetime.fromtimestamp(context.clock(), UTC)
    if not arguments.timezone:
        local = now.astimezone(context.config.zone(context.person))
    else:
        try:
            local = now.astimezone(ZoneInfo(arguments.timezone))
        except (ZoneInfoNotFoundError, ValueError):
            raise ToolError(
                f"Unknown time zone {arguments.timezone!r}; use an IANA name such as Europe/Rome."
            ) from None
    return local.strftime("%A %d %B %Y, %H:%M:%S, UTC%z (%Z)")


SPEC = ToolSpec(
    name="clock",
    functions=(
        ToolFunction(
            name="clock",
            description="Tells the current date and time.",
            arguments=ClockArguments,
            run=tell_time,
            act=Act.LOOK,
            timeout=5.0,
        ),
    ),
)

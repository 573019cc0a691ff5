"""A tool that hangs the whole event loop, as a faulty library would; copied into the machine's nanobot."""

from __future__ import annotations

import time

from pydantic import BaseModel

from bot.toolbox import Act, ToolContext, ToolFunction, ToolSpec


class FreezeArguments(BaseModel):
    seconds: float = 600.0


async def freeze(context: ToolContext, arguments: FreezeArguments) -> str:
    time.sleep(arguments.seconds)  # on purpose: nothing else runs meanwhile
    return "thawed"


SPEC = ToolSpec("freeze", (ToolFunction("freeze", "Hangs.", FreezeArguments, freeze, Act.LOOK),))

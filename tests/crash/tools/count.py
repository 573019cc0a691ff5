"""A tool whose runs can be counted afterwards, whatever is killed in between: each adds a line to a file."""

from __future__ import annotations

from pydantic import BaseModel

from bot.toolbox import Act, ToolContext, ToolFunction, ToolSpec


class CountArguments(BaseModel):
    word: str = "run"


async def count(context: ToolContext, arguments: CountArguments) -> str:
    with (context.workspace / "runs.txt").open("a") as file:
        file.write(f"{arguments.word}\n")
    return f"counted {arguments.word}"


SPEC = ToolSpec("count", (ToolFunction("count", "Counts.", CountArguments, count, Act.LOOK),))

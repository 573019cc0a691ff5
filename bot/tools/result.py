"""What a tool said before and the conversation no longer shows whole: read on by its handle."""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel, Field

from bot.safety.rules import Trust
from bot.storage import contexts
from bot.toolbox import Act, Kit, Output, ToolContext, ToolError, ToolFunction, ToolSpec


class ReadArguments(BaseModel):
    handle: str = Field(description="as it was given, such as r12-3")
    start: int = Field(default=0, ge=0, description="character to start from")
    length: int = Field(default=8000, ge=1, le=16_000, description="how many characters")


async def read(context: ToolContext, arguments: ReadArguments) -> Output:
    wanted = partial(contexts.output, session=context.session, handle=arguments.handle.strip())
    found = await context.desk.database.read(wanted)
    if found is None:
        raise ToolError(
            f"There is no result {arguments.handle} in this conversation; old ones are thrown away."
        )
    end = arguments.start + arguments.length
    rest = len(found.text) - end
    note = f"\n[{rest} more characters; go on with start={end}]" if rest > 0 else ""
    return Output(found.text[arguments.start : end] + note, Trust(found.trust))


SPEC = ToolSpec(
    name="result",
    functions=(
        ToolFunction(
            "result_read",
            "Reads more of an earlier tool result, by its handle.",
            ReadArguments,
            read,
            Act.LOOK,
            Kit.BOTH,
        ),
    ),
)

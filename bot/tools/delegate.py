"""Work handed to other models: `delegate` waits for the result, `spawn` has it done in the background."""

from __future__ import annotations

from pydantic import BaseModel, Field

from bot.desk import Task
from bot.toolbox import Act, Kit, Output, ToolContext, ToolError, ToolFunction, ToolSpec

_LONGEST = 86_400.0
"""Seconds: a worker has deadlines of its own, and a question to the owner is waited for elsewhere."""


class TaskArguments(BaseModel):
    task: str = Field(
        description="what to do, complete in itself: the worker knows nothing of this conversation"
    )
    context: str = Field(default="", description="what to know for it: names, paths, addresses, wishes")
    expected: str = Field(default="", description="what to hand back, and in which form")
    profile: str = Field(default="", description="kind of worker; empty: the usual")


class NoArguments(BaseModel):
    pass


class CancelArguments(BaseModel):
    task: str = Field(description='its name, such as "task 12"')


async def delegate(context: ToolContext, arguments: TaskArguments) -> Output:
    return await context.desk.workers.delegate(context, Task(**arguments.model_dump()))


async def spawn(context: ToolContext, arguments: TaskArguments) -> str:
    name = await context.desk.workers.spawn(context, Task(**arguments.model_dump()))
    return f"Started as {name}. Its result will come into this conversation by itself; don't wait for it."


async def running(context: ToolContext, _arguments: NoArguments) -> Output:
    found = await context.desk.workers.running(context.session)
    return found if found.text else Output("Nothing runs in the background.")


async def cancel(context: ToolContext, arguments: CancelArguments) -> str:
    if not await context.desk.workers.cancel(context.session, arguments.task):
        raise ToolError(f"No {arguments.task} runs in this conversation; spawn_list shows what does.")
    return f"Ended {arguments.task}."


SPEC = ToolSpec(
    name="delegate",
    functions=(
        ToolFunction(
            "delegate",
            "Hands work with files, commands or the web to a worker and waits for its result.",
            TaskArguments,
            delegate,
            Act.DELEGATE,
            Kit.HANDING_ON,
            timeout=_LONGEST,
        ),
        ToolFunction(
            "spawn",
            "Hands long work to a worker in the background; the result comes into this conversation later.",
            TaskArguments,
            spawn,
            Act.DELEGATE,
            Kit.MAIN,
        ),
        ToolFunction(
            "spawn_list",
            "Lists the work in the background.",
            NoArguments,
            running,
            Act.LOOK,
            Kit.MAIN,
        ),
        ToolFunction(
            "spawn_cancel",
            "Ends work in the background.",
            CancelArguments,
            cancel,
            Act.DELEGATE,
            Kit.MAIN,
        ),
    ),
)

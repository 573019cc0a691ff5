"""Commands in a shell: in a sandbox without network that can read the workspace; more than that as the rules say."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from pathlib import Path

from pydantic import BaseModel, Field

from bot.context.prompt import PERSONA_FILE
from bot.memory.keeper import folder_name
from bot.safety.rules import Trust
from bot.safety.sandbox import Job, Limits, Ran
from bot.storage import origins
from bot.toolbox import Act, Kit, Output, ToolContext, ToolError, ToolFunction, ToolSpec
from bot.workspace import PRIVATE


class ShellArguments(BaseModel):
    command: str = Field(
        min_length=1, description="command line for sh; it runs in /workspace, /tmp is its own"
    )
    write: bool = Field(default=False, description="whether it may change files in /workspace")
    network: bool = Field(default=False, description="whether it needs the internet")


async def act(context: ToolContext, arguments: ShellArguments) -> Act:
    """What a command amounts to, by where it runs and what it may do there."""
    if arguments.network and not context.config.tools.shell.network:
        raise ToolError(
            "Commands have no network here; web_fetch reads pages. (The owner's [tools.shell] decides.)"
        )
    if await context.desk.sandbox.problem():
        return Act.RUN_BARE
    return Act.RUN_OPEN if arguments.write or arguments.network else Act.RUN


async def shell(context: ToolContext, arguments: ShellArguments) -> Output:
    settings, sandbox = context.config.tools.shell, context.desk.sandbox
    job = Job(
        arguments.command,
        context.workspace,
        write=arguments.write,
        network=arguments.network,
        hidden=await asyncio.to_thread(_hidden, context),
        limits=Limits(settings.timeout, settings.memory),
    )
    began = time.time_ns()
    persona = context.workspace / PERSONA_FILE
    none_before = not persona.exists()
    if context.act is Act.RUN_BARE:
        ran = await sandbox.run_bare(job)
    else:
        ran = await sandbox.run(job)
    if none_before:
        # The sandbox protects what there is; nobody but the owner makes a persona.
        persona.unlink(missing_ok=True)
    if context.act is not Act.RUN and context.situation.trust is Trust.UNTRUSTED:
        changed = await asyncio.to_thread(_changed, context.workspace, began)
        await context.desk.database.write(partial(origins.mark, paths=changed, now=context.clock()))
    return Output(_said(ran), Trust.UNTRUSTED)


def _hidden(context: ToolContext) -> tuple[str, ...]:
    """What of the workspace a command must not see: other people's memory and what they sent, and anybody's where a
    group reads.
    """
    if context.situation.private:
        return others_folders(context.workspace, context.person)
    return tuple(name for name in PRIVATE if (context.workspace / name).is_dir())


def others_folders(workspace: Path, person: str) -> tuple[str, ...]:
    """The folders that are other people's."""
    own = folder_name(person)
    tops = (workspace / name for name in PRIVATE)
    below = (one for top in tops if top.is_dir() for one in top.iterdir())
    return tuple(str(one.relative_to(workspace)) for one in below if one.is_dir() and one.name != own)


def _changed(workspace: Path, since: int) -> list[str]:
    """Files that were written since a time (nanoseconds), by their path below the workspace."""
    found = []
    for folder, _, names in os.walk(workspace):
        for name in names:
            file = Path(folder, name)
            if file.lstat().st_mtime_ns >= since:
                found.append(file.relative_to(workspace).as_posix())
    return found


def _said(ran: Ran) -> str:
    end = f"[ended: {ran.why}]" if ran.code is None else f"[exit code {ran.code}]"
    return f"{ran.output.rstrip()}\n{end}" if ran.output.strip() else f"(no output) {end}"


SPEC = ToolSpec(
    name="shell",
    functions=(
        ToolFunction(
            "shell",
            "Runs a command line in a sandbox, without network, with the workspace at /workspace.",
            ShellArguments,
            shell,
            act,
            Kit.WORK,
            timeout=3600.0,  # the setting ends it before
        ),
    ),
)

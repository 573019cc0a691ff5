"""Commands in a shell: in a sandbox without network that can read the workspace; more than that as the rules say."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from pydantic import BaseModel, Field

from bot.context.prompt import PERSONA_FILE
from bot.memory.keeper import folder_name
from bot.safety.rules import Trust
from bot.safety.sandbox import Job, Limits, Ran
from bot.storage import origins
from bot.text import valid
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
    if context.act is Act.RUN:
        return Output(_said(await sandbox.run(job)), Trust.UNTRUSTED)
    before = await asyncio.to_thread(_standing, context.workspace)
    persona = context.workspace / PERSONA_FILE
    none_before = not persona.exists()
    try:
        ran = await (sandbox.run_bare(job) if context.act is Act.RUN_BARE else sandbox.run(job))
    finally:
        # Also where we are stopped. Nobody but the owner makes a persona.
        if none_before:
            with suppress(OSError):
                persona.unlink()
        # A command's files are as its output is: who knows what they were made from.
        changed = await asyncio.to_thread(_changed, context.workspace, before)
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


def _standing(workspace: Path) -> dict[str, tuple[int, int]]:
    """What tells each file and folder from what may take its place, by its path below the workspace. The time of a
    file's last change of any kind (ctime) can't be set back; a folder's tells only of what is in it.
    """
    found = {}
    for at, folders, files in os.walk(workspace):
        for name in (*folders, *files):
            path = f"{at}/{name}"
            with suppress(OSError):
                about = os.lstat(path)
                changed = 0 if stat.S_ISDIR(about.st_mode) else about.st_ctime_ns
                found[path[len(f"{workspace}/") :]] = (about.st_ino, changed)
    return found


def _changed(workspace: Path, before: Mapping[str, tuple[int, int]]) -> list[str]:
    """What is new or another one since then; but for names that are no text, by which no tool opens anything."""
    changed = (path for path, mark in _standing(workspace).items() if before.get(path) != mark)
    return [path for path in changed if valid(path) == path]


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

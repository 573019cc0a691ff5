"""Messages outside of answers: to the person on another of their channels, or to somebody else."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

from pydantic import BaseModel, Field

from bot.desk import Enclosed
from bot.toolbox import Act, Kit, ToolContext, ToolError, ToolFunction, ToolSpec
from bot.workspace import content_of

_LARGEST = 50_000_000
"""Bytes; a channel may take less."""


class MessageArguments(BaseModel):
    text: str = Field(default="", max_length=8000, description="what to write")
    to: str = Field(default="", description="another person's name")
    channel: str = Field(default="", description="such as telegram")
    file: str = Field(default="", description="path to send along")


async def sends(context: ToolContext, arguments: MessageArguments) -> Act:
    """Whether it stays with the person who asks. Raises ToolError for somebody whom nobody knows: no use to ask."""
    return Act.SEND if _reader(context, arguments.to) == context.person else Act.SEND_OTHERS


async def message(context: ToolContext, arguments: MessageArguments) -> str:
    to, channel = _reader(context, arguments.to), arguments.channel.strip().lower()
    if not (arguments.text.strip() or arguments.file):
        raise ToolError("The message is empty.")
    file = await _enclosed(context, arguments.file)
    if to != context.person:
        sent = await context.desk.post.send(to, f"✉️ {context.person}: {arguments.text}", channel, file)
        return f"On its way to {to} by {sent}."
    here = context.session.partition(":")[0] if context.situation.private else ""
    others = [one for one in await context.desk.post.channels(to) if one != here]
    if file is not None and channel in ("", here):
        await context.desk.post.into(context.session, arguments.text, file)
        return f"{file.name} is on its way into this chat; don't repeat what you wrote with it."
    if channel == here or not others:
        known = f"other channels: {', '.join(others)}" if others else "there is no other channel"
        raise ToolError(f"Just answer: this is where {to} reads you; {known}.")
    sent = await context.desk.post.send(to, arguments.text, channel or others[0], file)
    return f"On its way to {to} by {sent}."


async def _enclosed(context: ToolContext, path: str) -> Enclosed | None:
    if not path:
        return None
    content = await asyncio.to_thread(content_of, context, path, _LARGEST)
    return Enclosed(PurePosixPath(path).name, content)


def _reader(context: ToolContext, to: str) -> str:
    """Whom it is for, by the name that we know them by."""
    if not to.strip():
        return context.person
    known = context.desk.post.people()
    found = next((name for name in known if name.casefold() == to.strip().casefold()), None)
    if found is None:
        raise ToolError(f"I know nobody called {to.strip()!r}; there are: {', '.join(known)}.")
    return found


SPEC = ToolSpec(
    name="message",
    functions=(
        ToolFunction(
            "message",
            "Sends a file, or writes to another channel or person.",
            MessageArguments,
            message,
            sends,
            Kit.MAIN,
        ),
    ),
)

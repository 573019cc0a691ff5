"""Messages outside of answers: to the person on another of their channels, or to somebody else."""

from __future__ import annotations

from pydantic import BaseModel, Field

from bot.toolbox import Act, Kit, ToolContext, ToolError, ToolFunction, ToolSpec


class MessageArguments(BaseModel):
    text: str = Field(min_length=1, max_length=8000, description="what to write")
    to: str = Field(default="", description="another person's name")
    channel: str = Field(default="", description="such as telegram")


async def sends(context: ToolContext, arguments: MessageArguments) -> Act:
    """Whether it stays with the person who asks. Raises ToolError for somebody whom nobody knows: no use to ask."""
    return Act.SEND if _reader(context, arguments.to) == context.person else Act.SEND_OTHERS


async def message(context: ToolContext, arguments: MessageArguments) -> str:
    to, channel = _reader(context, arguments.to), arguments.channel.strip().lower()
    if to != context.person:
        sent = await context.desk.post.send(to, f"✉️ {context.person}: {arguments.text}", channel)
        return f"On its way to {to} by {sent}."
    here = context.session.partition(":")[0] if context.situation.private else ""
    others = [one for one in await context.desk.post.channels(to) if one != here]
    if channel == here or not others:
        known = f"other channels: {', '.join(others)}" if others else "there is no other channel"
        raise ToolError(f"Just answer: this is where {to} reads you; {known}.")
    sent = await context.desk.post.send(to, arguments.text, channel or others[0])
    return f"On its way to {to} by {sent}."


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
            "Writes to the person on another channel, or to somebody else.",
            MessageArguments,
            message,
            sends,
            Kit.MAIN,
        ),
    ),
)

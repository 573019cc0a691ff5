"""Reminders, and tasks for later: told, or begun, at their time in the chat where they were set."""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel, ConfigDict, Field

from bot.safety.rules import Trust, worst
from bot.schedule import times
from bot.storage import reminders as rows
from bot.storage.tables import Reminder
from bot.toolbox import Act, Kit, Output, ToolContext, ToolError, ToolFunction, ToolSpec

_MOST = 100
"""Reminders of one person."""
_LATELY = 86_400.0


class RemindArguments(BaseModel):
    # A model that writes at=1200 means the same as "+1200".
    model_config = ConfigDict(coerce_numbers_to_str=True)

    text: str = Field(min_length=1, max_length=1000, description="what to say then")
    at: str = Field(default="", description="local time 2026-11-23T09:00, or +1200 for in 1200 s")
    repeat: str = Field(default="", description="seconds, or cron: 0 9 * * mon-fri")
    do: bool = Field(default=False, description="a task that you do then")


class ListArguments(BaseModel):
    pass


class CancelArguments(BaseModel):
    number: int


async def sets(_context: ToolContext, arguments: RemindArguments) -> Act:
    """A plain reminder only says something; a task runs tools."""
    return Act.SCHEDULE if arguments.do else Act.REMIND


async def remind(context: ToolContext, arguments: RemindArguments) -> str:
    now, zone = context.clock(), context.config.zone(context.person)
    text = arguments.text.strip()
    if not text:
        raise ToolError("Not set: the text is empty.")
    try:
        wish = times.wish(arguments.at, arguments.repeat)
        first, since = times.first(wish, now, zone), times.begins(wish, now, zone)
    except ValueError as error:
        raise ToolError(f"Not set: {error}.") from None
    # A task in the words that the owner allowed is theirs; a reminder in the person's own words is theirs, too.
    own = arguments.do or context.said(text)
    row = Reminder(
        person=context.person,
        session=context.session,
        text=text,
        task=arguments.do,
        trust=Trust.OWN if own else context.situation.trust,
        every=wish.every,
        cron=wish.cron,
        due_at=first,
        since=since,
    )
    number = await context.desk.database.write(partial(rows.add, row=row, most=_MOST))
    if number is None:
        raise ToolError(f"Not set: there are {_MOST} already; remind_cancel drops some.")
    context.desk.alarm.wake()
    repeated = f", then {times.repeated(wish)}" if times.repeated(wish) else ""
    return f"Number {number} is set for {times.spoken(first, zone)}{repeated}."


async def remind_list(context: ToolContext, _arguments: ListArguments) -> Output:
    now, zone = context.clock(), context.config.zone(context.person)
    found = await context.desk.database.read(
        partial(rows.of_person, person=context.person, session=_here(context), since=now - _LATELY)
    )
    lines = "\n".join(times.line(row, now, zone) for row in found)
    return Output(lines or "None is set.", worst(*(Trust(row.trust) for row in found)))


async def remind_cancel(context: ToolContext, arguments: CancelArguments) -> str:
    cancel = partial(rows.cancel, number=arguments.number, person=context.person, session=_here(context))
    row = await context.desk.database.write(cancel)
    if row is None:
        raise ToolError(f"There is no reminder {arguments.number}; remind_list shows those there are.")
    return f"Number {arguments.number} is cancelled."


def _here(context: ToolContext) -> str:
    """A group sees and drops only what was set in it."""
    return "" if context.situation.private else context.session


SPEC = ToolSpec(
    name="remind",
    functions=(
        ToolFunction(
            "remind",
            "Sets a reminder. Tell the person the time that it returns.",
            RemindArguments,
            remind,
            sets,
            Kit.MAIN,
        ),
        ToolFunction(
            "remind_list",
            "Lists reminders, past ones of the last day too.",
            ListArguments,
            remind_list,
            Act.LOOK,
            Kit.MAIN,
        ),
        ToolFunction(
            "remind_cancel", "Cancels a reminder.", CancelArguments, remind_cancel, Act.REMIND, Kit.MAIN
        ),
    ),
)

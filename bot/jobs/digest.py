"""A line in the morning, for who wants it: what happened, what it cost, what needs the owner."""

from __future__ import annotations

from functools import partial

from bot.schedule.spec import Cron, JobContext, JobSpec
from bot.storage import digest
from bot.storage.digest import Day

_DAY = 86_400.0


async def run(context: JobContext) -> str:
    core = context.core
    now = core.clock()
    found = await core.database.read(partial(digest.day, since=now - _DAY, now=now))
    return "told the owner" if await context.tell_owner(told(found)) else ""


def told(day: Day) -> str:
    """The message, in Markdown."""
    if not day.messages and not day.turns:
        happened = "Nobody wrote to me since yesterday"
    else:
        happened = f"Since yesterday: {_count(day.messages, 'message')}, {_count(day.turns, 'answer')}"
    money = "" if day.usd is None else f", ${day.usd:.2f}"
    first = f"☀️ {happened}; {_count(day.calls, 'model call')}{money}."
    if day.reminders:
        first += f" {_count(day.reminders, 'reminder')} today."
    needs = [
        (day.failed_turns, f"{_count(day.failed_turns, 'question')} got no proper answer"),
        (day.refused, f"{_count(day.refused, 'message')} refused by a channel (`nanobot outbox list`)"),
        (day.undelivered, f"{_count(day.undelivered, 'message')} not delivered yet"),
        (day.asked, f"{_count(day.asked, 'question')} waiting for your word"),
        *((1, f"the job {name} fails: {why}") for name, why in day.failing),
    ]
    lines = [f"- {line}" for there_is, line in needs if there_is]
    return "\n".join([first, *(["Needs a look:", *lines] if lines else [])])


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


SPEC = JobSpec(
    help="a line to the owner in the morning: what happened, what it cost, what needs them",
    trigger=Cron("0 8 * * *"),
    run=run,
    on_request=True,
)

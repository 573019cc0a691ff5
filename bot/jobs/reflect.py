"""Every night: what was observed becomes facts. Asks no model where nothing is new."""

from __future__ import annotations

from bot.schedule.spec import Cron, JobContext, JobSpec


async def run(context: JobContext) -> str:
    memory = context.core.memory
    people = await memory.waiting()
    said = [await memory.reflect_if_possible(person, context.core.models) for person in people]
    return "; ".join(filter(None, said))


SPEC = JobSpec(help="distils facts from what was said", trigger=Cron("30 3 * * *"), run=run)

"""Decides that a conversation is over, and keeps what its person said; where much has gathered, facts are made of it
without waiting for the night.
"""

from __future__ import annotations

from bot.schedule.spec import Every, JobContext, JobSpec

IDLE_SECONDS = 1800.0
"""A conversation in which nothing was said for so long is over."""


async def run(context: JobContext) -> str:
    memory = context.core.memory
    yielded = await memory.observe(IDLE_SECONDS)
    enough = await memory.gathered()
    said = [await memory.reflect_if_possible(person, context.core.models) for person in enough]
    return "; ".join([*([f"{yielded} conversations are over"] if yielded else []), *filter(None, said)])


SPEC = JobSpec(help="keeps what finished conversations held", trigger=Every(300.0), run=run)

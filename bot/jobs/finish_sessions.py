"""Decides that a conversation is over, and keeps what its person said for reflection. Asks no model."""

from __future__ import annotations

from bot.schedule.spec import Every, JobContext, JobSpec

IDLE_SECONDS = 1800.0
"""A conversation in which nothing was said for so long is over."""
_ENOUGH = 12
_ENOUGH_CHARS = 12_000
"""So much that was observed is reflected on without waiting for the night."""


async def run(context: JobContext) -> str:
    memory = context.core.memory
    yielded = await memory.observe(IDLE_SECONDS)
    enough = [
        person for person, count, size in await memory.waiting() if count >= _ENOUGH or size >= _ENOUGH_CHARS
    ]
    said = [await memory.reflect_if_possible(person, context.core.models) for person in enough]
    return "; ".join([*([f"{yielded} conversations are over"] if yielded else []), *filter(None, said)])


SPEC = JobSpec(help="keeps what finished conversations held", trigger=Every(300.0), run=run)

"""Keeps the lists of free models fresh: they change every week."""

from __future__ import annotations

from bot.catalogues import Catalogues
from bot.schedule.spec import Every, JobContext, JobSpec


async def _run(context: JobContext) -> str:
    core = context.core
    return await Catalogues(core.models, core.database).refresh(core.clock())


SPEC = JobSpec(
    help="ask OpenRouter and its like which models they have, and which are free",
    trigger=Every(6 * 3600.0),
    run=_run,
    at_start=True,
)

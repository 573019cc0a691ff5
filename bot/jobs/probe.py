"""Brings back what failed, before a message has to find out, and says so where the failure was told."""

from __future__ import annotations

from functools import partial

from bot.gateway import notices
from bot.schedule.spec import Every, JobContext, JobSpec
from bot.storage import notices as rows
from bot.storage.notices import Recovery


async def _run(context: JobContext) -> str:
    core = context.core
    known = await core.database.read(rows.known)
    told = {session: shown for session, shown in known.items() if notices.told_of(shown)}
    await core.models.probe({route for shown in told.values() for route in notices.told_of(shown)})
    now = core.clock()
    over: list[Recovery] = []
    for session, shown in told.items():
        line, left = notices.recovered(shown, core.models.well, now)
        if line:
            over.append(Recovery(session, shown, line, left))
    if not over:
        return ""
    sent = await core.database.write(partial(rows.recovered, recoveries=over, now=now))
    context.send(sent)
    return " ".join(dict.fromkeys(row.text for row in sent))


SPEC = JobSpec(
    help="look whether models that failed are back; spends nothing at providers that cost money",
    trigger=Every(30.0),
    run=_run,
)

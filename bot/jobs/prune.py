"""Every night: forgets what is older than `[retention]` says, and gives the room back to the disk."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from bot.gateway.parts import INBOX
from bot.gateway.post import OUTGOING
from bot.schedule.spec import Cron, JobContext, JobSpec
from bot.storage import retention
from bot.storage.outbox import enclosed, give_up_unheard

_DAY = 86_400.0
_DELIVERED_FILES = 2 * _DAY
"""For how long a copy is kept of a file that was sent; one that waits is kept until it is."""
_UNHEARD = 30 * _DAY
"""WhatsApp's servers try for so long to deliver what they took (Meta's page "Configure message time-to-live")."""


async def run(context: JobContext) -> str:
    core = context.core
    now = core.clock()
    gone: dict[str, int] = {}
    await core.database.write(partial(give_up_unheard, before=now - _UNHEARD))
    for name, rules in retention.RULES.items():
        days = getattr(core.config.retention, name)
        for rule in rules if days else ():
            dropped = partial(retention.drop_old_rows, rule=rule, before=now - days * _DAY)
            while count := await core.database.write(dropped):
                gone[name] = gone.get(name, 0) + count
    while await core.database.write(retention.give_back_pages):
        pass
    needed = await core.database.read(enclosed)
    outgoing = core.database.path.with_name(OUTGOING)
    gone["sent_files"] = await asyncio.to_thread(_drop_files, outgoing, now - _DELIVERED_FILES, needed)
    if days := core.config.retention.received_files:
        gone["received_files"] = await asyncio.to_thread(
            _drop_files, core.workspace / INBOX, now - days * _DAY, frozenset()
        )
    return ", ".join(f"{name.replace('_', ' ')}: {count} dropped" for name, count in gone.items() if count)


def _drop_files(folder: Path, before: float, needed: frozenset[str]) -> int:
    """Delete what was not changed since then, and folders that are left empty; returns how many files."""
    count = 0
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or (path.is_file() and str(path) not in needed):
            if path.lstat().st_mtime < before:
                path.unlink(missing_ok=True)
                count += 1
        elif path.is_dir() and path.parent != folder and not any(path.iterdir()):
            path.rmdir()
    return count


SPEC = JobSpec(help="forgets what is older than [retention] says", trigger=Cron("45 4 * * *"), run=run)

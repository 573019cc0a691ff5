"""What `nanobot status` and /status tell: gathered from the living parts, shown elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bot.config import Loaded
from bot.discovery import Discovery
from bot.gateway import notices, treasurer
from bot.gateway.bus import Bus
from bot.storage import inbox, outbox, sessions
from bot.storage.database import Database
from bot.usage import Usage
from bot.version import program_version
from channels.base import Channel
from providers import errors
from providers.client import ModelClient, ProviderStatus
from providers.health import Rest, title

TIGHT = 1e9
"""Bytes that are left on a disk: with fewer, messages soon can't be stored."""
_TIGHT = "the disk is nearly full: make room, or messages can't be stored, and so not answered"
_DAY = 86_400.0
ROLES = ("reasoning", "rlm", "compaction", "reflection")


@dataclass(frozen=True, slots=True)
class Status:
    """`started_at` is in seconds since the epoch; `loaded` gives the configuration in use."""

    models: ModelClient
    discovery: Discovery
    channels: Mapping[str, Channel]
    bus: Bus
    database: Database
    loaded: Callable[[], Loaded]
    socket: Path
    jobs: Callable[[], list[dict[str, Any]]]
    strangers: Callable[[], Mapping[str, int]]
    clock: Callable[[], float]
    started_at: float

    async def report(self) -> dict[str, Any]:
        """The object behind `nanobot status --json`."""
        running, _ = self.bus.depth()
        loaded = self.loaded()
        chats, used = await self.database.read(partial(sessions.count, since=self.clock() - _DAY))
        free = shutil.disk_usage(self.database.path.parent).free
        return {
            "version": program_version(),
            "pid": os.getpid(),
            "started_at": self.started_at,
            "data": str(self.database.path.parent),
            "config": str(loaded.origin) if loaded.origin else None,
            "socket": str(self.socket),
            "models": self._routes(),
            "resting": [str(candidate.route) for candidate, _ in self.models.resting("reasoning")],
            "choice": self.discovery.choice,
            "providers": [self._provider(one) for one in self.models.status()],
            "channels": {kind: asdict(channel.status) for kind, channel in self.channels.items()},
            "strangers": dict(self.strangers()),
            "jobs": self.jobs(),
            "budget": await Usage(self.models, self.database).brief(),
            "turns_running": running,
            "messages_waiting": await self.database.read(inbox.waiting),
            "outbox": await self.database.read(outbox.counts),
            "sessions": {"all": chats, "last_day": used},
            "disk": {"free_bytes": free, "database_bytes": self.database.path.stat().st_size},
            "warnings": [*loaded.notices, *([_TIGHT] if free < TIGHT else [])],
        }

    async def spent(self) -> dict[str, Any]:
        """What models cost today and this month."""
        return await Usage(self.models, self.database).brief()

    async def line(self) -> str:
        """How it stands in one line, for `systemctl status`."""
        down = [
            f"{kind} is down ({channel.status.detail})"
            for kind, channel in self.channels.items()
            if not channel.status.up
        ]
        running, waiting = self.bus.depth()
        routes = self._routes().get("reasoning", [])
        return "; ".join(
            (
                f"model {routes[0]}" if routes else "no model",
                *(down or ["all channels up"]),
                f"{running} answering, {waiting} waiting",
            )
        )

    async def summary(self, session: str, whole: bool) -> str:
        """The text of /status: what concerns the one who asks, and with `whole` what concerns the house."""
        now = self.clock()
        routes = self._routes().get("reasoning", [])
        lines = ["An answer is being made; /stop ends it." if self.bus.busy(session) else "Ready."]
        others = f", then {', '.join(routes[1:4])}" if routes[1:] else ""
        lines.append(f"Model: {routes[0]}{others}" if routes else "No model.")
        for rest in self._resting():
            until = f" until {notices.clock(rest.until, now)}" if rest.until else ""
            why = f" ({_reason(rest)})" if whole else ""
            lines.append(f"Resting{until}: {title(rest.scope)}{why}")
        if whole:
            lines += [treasurer.line(standing, now) for standing in self.models.standings() if standing.level]
            waiting = await self.database.read(inbox.waiting)
            lines.append(f"Messages being answered or waiting: {waiting}.")
        return "\n".join(lines)

    def _provider(self, one: ProviderStatus) -> dict[str, Any]:
        """One provider; `state` is "ok", "resting" (all or a part of it, see `rests`) or "unasked"."""
        roles = {
            role: [c.route.model for c in self.models.candidates(role) if c.route.provider == one.name]
            for role in ROLES
        }
        return {
            "name": one.name,
            "kind": one.kind,
            "address": one.address,
            "local": one.local,
            "keys": one.keys,
            "roles": {role: models for role, models in roles.items() if models},
            "state": "resting" if one.rests else "ok" if one.asked else "unasked",
            "rests": [
                {
                    "scope": r.scope,
                    "name": title(r.scope),
                    "until": r.until,
                    "reason": _reason(r),
                    "needs_owner": r.needs_owner,
                }
                for r in one.rests
            ],
        }

    def _resting(self) -> list[Rest]:
        return [rest for provider in self.models.status() for rest in provider.rests]

    def _routes(self) -> dict[str, list[str]]:
        return {role: [str(candidate.route) for candidate in self.models.candidates(role)] for role in ROLES}


def _reason(rest: Rest) -> str:
    summary = getattr(errors, rest.error, errors.ProviderError).summary
    if rest.error == errors.Denied.__name__ and rest.scope.startswith("credential:"):
        summary = "was refused"  # the words stand behind the key's name, not the model's
    return f"{summary}: {rest.detail}" if rest.detail and rest.detail != summary else summary

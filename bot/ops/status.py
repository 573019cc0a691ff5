"""What `nanobot status` and /status tell: gathered from the living parts, shown elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.discovery import Discovery
from bot.gateway import notices
from bot.gateway.bus import Bus
from bot.storage import inbox, outbox
from bot.storage.database import Database
from bot.version import program_version
from channels.base import Channel
from providers import errors
from providers.client import ModelClient
from providers.health import Rest, title


@dataclass(frozen=True, slots=True)
class Status:
    """`started_at` is in seconds since the epoch; `warnings` are what the configuration's owner should read."""

    models: ModelClient
    discovery: Discovery
    channels: Mapping[str, Channel]
    bus: Bus
    database: Database
    config: Path | None
    socket: Path
    started_at: float
    warnings: tuple[str, ...] = ()

    async def report(self) -> dict[str, Any]:
        """The object behind `nanobot status --json`."""
        running, _ = self.bus.depth()
        return {
            "version": program_version(),
            "pid": os.getpid(),
            "started_at": self.started_at,
            "data": str(self.database.path.parent),
            "config": str(self.config) if self.config else None,
            "socket": str(self.socket),
            "models": self._routes(),
            "choice": self.discovery.choice,
            "providers": [
                {
                    "scope": rest.scope,
                    "name": title(rest.scope),
                    "until": rest.until,
                    "reason": _reason(rest),
                }
                for rest in self._resting()
            ],
            "channels": {kind: asdict(channel.status) for kind, channel in self.channels.items()},
            "turns_running": running,
            "messages_waiting": await self.database.read(inbox.waiting),
            "outbox": await self.database.read(outbox.counts),
            "warnings": list(self.warnings),
        }

    async def summary(self, session: str) -> str:
        """The text of /status: what concerns the one who asks."""
        now = time.time()
        routes = self._routes().get("reasoning", [])
        lines = ["An answer is being made; /stop ends it." if self.bus.busy(session) else "Ready."]
        others = f", then {', '.join(routes[1:4])}" if routes[1:] else ""
        lines.append(f"Model: {routes[0]}{others}" if routes else "No model.")
        for rest in self._resting():
            until = f" until {notices.clock(rest.until, now)}" if rest.until else ""
            lines.append(f"Resting{until}: {title(rest.scope)} ({_reason(rest)})")
        waiting = await self.database.read(inbox.waiting)
        lines.append(f"Messages being answered or waiting: {waiting}.")
        return "\n".join(lines)

    def _resting(self) -> list[Rest]:
        return [rest for provider in self.models.status() for rest in provider.rests]

    def _routes(self) -> dict[str, list[str]]:
        return {
            role: [str(candidate.route) for candidate in self.models.candidates(role)]
            for role in ("reasoning", "rlm", "compaction", "reflection")
        }


def _reason(rest: Rest) -> str:
    summary = getattr(errors, rest.error, errors.ProviderError).summary
    return f"{summary}: {rest.detail}" if rest.detail and rest.detail != summary else summary

"""The doctor's look at the channels and at the sandbox: servers reached, credentials taken, commands shut in."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bot import plugins
from bot.config import Config
from bot.ops.doctor import Check, Finding, Findings, Patient
from bot.safety.sandbox import Sandbox
from channels.base import ChannelSpec, Host

_SECONDS = 45.0
_FIX = (
    "install bubblewrap (apt install bubblewrap), and allow user namespaces to the user that nanobot runs as"
)


def channel_checks(config: Config) -> list[Check]:
    """One for each configured channel, and one for the sandbox."""
    names = [Check(kind, partial(channel, kind), seconds=_SECONDS) for kind in config.channels]
    return [*names, Check("sandbox", sandbox)]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A channel's notes as they are; implements `channels.base.Store`, and writes nothing."""

    file: Path
    channel: str

    async def load(self, key: str) -> dict[str, Any] | None:
        return await asyncio.to_thread(self._read, key)

    def _read(self, key: str) -> dict[str, Any] | None:
        query = "SELECT value FROM channel_state WHERE channel = ? AND key = ?"
        try:
            with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=5.0)) as connection:
                row = connection.execute(query, (self.channel, key)).fetchone()
        except sqlite3.Error:
            return None  # There is no database yet; that it is damaged is another check's to say.
        return None if row is None else dict(json.loads(row[0]))

    async def save(self, key: str, value: Mapping[str, Any]) -> None:
        """The doctor changes nothing."""

    async def delete(self, key: str) -> None:
        """As above."""


async def channel(kind: str, patient: Patient) -> Findings:
    """What the channel itself finds at its servers, and how it stands with the bot that runs."""
    told: list[str] = []
    store = _Stored(patient.data / "nanobot.db", kind)
    host = Host((), store, patient.data / "channels" / kind, told.append)
    spec = plugins.load("channels.adapters", kind, ChannelSpec)
    if spec.examine is not None:
        async with aclosing(spec.examine(patient.loaded.config.channels[kind], host)) as lines:
            async for line in lines:
                yield Finding(line.level, kind, f"{line.subject}: {line.text}", line.fix)
    standing = ((patient.status or {}).get("channels") or {}).get(kind)
    if standing is not None and not standing["up"]:
        yield Finding("error", kind, f"the running bot says: {standing['detail']}", "see the line itself")
    for note in _notes(standing):
        yield Finding("ok", kind, note)


def _notes(standing: Mapping[str, Any] | None) -> Sequence[str]:
    return standing.get("notes", ()) if standing else ()


async def sandbox(_patient: Patient) -> Findings:
    """Whether a command of the shell tool can be shut in."""
    if problem := await Sandbox().problem():
        text = f"{problem}; each command is asked for then"
        yield Finding("warning", "sandbox", text, _FIX)
    else:
        yield Finding("ok", "sandbox", "commands run shut in, without network, home and secrets")

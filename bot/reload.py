"""A changed configuration, taken up while running: a new Core between two turns. A bad one changes nothing.

`PARTS` says which settings are taken up and which need a restart; docs/CONFIGURATION.md shows it as a table.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from pydantic import BaseModel

from bot.agent.agent import Agent
from bot.agent.profiles import Profiles
from bot.agent.workers import usable
from bot.catalogues import Catalogues
from bot.config import Config, Loaded
from bot.config.report import GROUPS, place
from bot.core import Core, CoreBuilder
from bot.discovery import Discovery
from bot.errors import BotError, ConfigError
from bot.gateway import people
from bot.gateway.approvals import Approvals
from bot.gateway.people import People
from bot.paths import Env
from bot.safety.redaction import Redactor
from bot.schedule.jobs import Jobs, plans
from bot.schedule.reminders import Reminders
from bot.secrets import secrets

log = logging.getLogger(__name__)


class Part(NamedTuple):
    """A section, or one setting of it that behaves otherwise. `live`: a reload takes it up; `note` says from when on,
    or why it doesn't.
    """

    name: str
    live: bool
    note: str


PARTS = (
    Part("providers", True, "from the next call of a model; a call under way ends where it began"),
    Part("models", True, "from the next call of a model"),
    Part("roles", True, "from the next call of a model"),
    Part("fallback", True, "from the next call of a model"),
    Part("limits", True, "at once; what was spent so far counts"),
    Part("people", True, "at once; whoever was let in by a code stays in"),
    Part("agent", True, "from the next message; an answer that is being made keeps its limits"),
    Part("agent.max_concurrent_turns", False, "the slots are made at the start"),
    Part("tools", True, "from the next message"),
    Part("jobs", True, "at once; a job that runs is left to its end"),
    Part("retention", True, "from the next night"),
    Part("voice", True, "from the next voice note"),
    Part("channels", False, "connections are made at the start"),
    Part("metrics", False, "the address is opened at the start"),
    Part("workspace", False, "files must not move under running work"),
)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of it: settings by their places in the file, and `notices` for the owner to read."""

    origin: str
    taken_up: tuple[str, ...]
    restart: tuple[str, ...]
    notices: tuple[str, ...]

    def lines(self) -> list[str]:
        """As a person reads it."""
        lines = [f"Read {self.origin or 'no file: there is none'}."]
        if self.taken_up:
            lines.append(f"Taken up: {', '.join(self.taken_up)}")
        if self.restart:
            lines.append(f"Needs a restart, until then as before: {', '.join(self.restart)}")
        if not self.taken_up and not self.restart:
            lines.append("Nothing has changed.")
        return [*lines, *self.notices]

    def as_json(self) -> dict[str, Any]:
        return {"ok": True, **asdict(self), "lines": self.lines()}


@dataclass(frozen=True, slots=True)
class Living:
    """What runs on through a reload and hears of it."""

    agent: Agent
    discovery: Discovery
    people: People
    approvals: Approvals
    jobs: Jobs
    reminders: Reminders
    profiles: Profiles
    redact: Redactor


class Reloader:
    """`load` reads and checks the configuration from where it was read at the start; None: there is no such thing.

    `loaded` is the one in use: after a reload with what that took up.
    """

    def __init__(self, loaded: Loaded, load: Callable[[], Loaded] | None, env: Env, living: Living) -> None:
        self.loaded = loaded
        self._load = load
        self._env = env
        self._living = living
        self._one_at_a_time = asyncio.Lock()

    async def reload(self) -> Reloaded:
        """Take up what the file says now. Raises BotError, ConfigError with every problem; then nothing has changed."""
        if self._load is None:
            raise BotError("there is no daemon to reload: this nanobot was started for one command alone")
        async with self._one_at_a_time:
            new = await asyncio.to_thread(self._load)
            self._living.redact.add(secrets(new.config, self._env))
            changes = list(changed(self.loaded.config, new.config))
            await self._adopt(merged(self.loaded.config, new.config))
            self.loaded = replace(new, config=self._living.agent.core.config)
            done = Reloaded(
                str(new.origin or ""),
                tuple(one for one, live in changes if live),
                tuple(one for one, live in changes if not live),
                (*new.notices, *self.complaints()),
            )
        for line in done.lines():
            log.info("%s", line)
        return done

    def complaints(self) -> list[str]:
        """What is wrong with files that are read when they are needed, a line each."""
        return self._living.profiles.problems(usable(self._living.agent.core))

    async def on_signal(self) -> None:
        """As `reload`; what is wrong is told in the log."""
        try:
            await self.reload()
        except ConfigError as error:
            log.error("the configuration can't be used; the one before goes on:")
            for line in error.problems:
                log.error("%s", line)
        except BotError as error:
            log.error("nothing was reloaded: %s", error)

    async def _adopt(self, config: Config) -> None:
        living, old = self._living, self._living.agent.core
        core = self._core(config, old)
        planned = plans(config)
        catalog = await living.discovery.follow(config)
        await old.models.adopt(catalog, config.limits)
        await Catalogues(old.models, old.database).load(old.clock())
        living.people.adopt(people.roster(config))
        living.approvals.adopt(living.people.owner, config.agent.approval_expires)
        living.agent.core = core
        await living.jobs.adopt(planned)
        await living.reminders.retime()

    def _core(self, config: Config, old: Core) -> Core:
        """A new Core on the same data: what was learned stays, and files of facts have one keeper."""
        try:
            builder = CoreBuilder(config, old.models, old.database)
            built = builder.build(old.discovery, old.clock, self._living.redact)
        except OSError as error:
            raise BotError(f"the workspace can't be used: {error}") from None
        return replace(built, memory=old.memory, calibration=old.calibration, workspace=old.workspace)


def changed(old: Config, new: Config) -> Iterator[tuple[str, bool]]:
    """Each setting that differs, by its place in the file, and whether a reload takes it up; as `PARTS` has them."""
    for part in PARTS:
        section, _, key = part.name.partition(".")
        before, after = _items(getattr(old, section)), _items(getattr(new, section))
        own = {other.name.partition(".")[2] for other in PARTS if other.name.startswith(f"{section}.")}
        for name in dict.fromkeys((*before, *after)):
            mine = name == key if key else name not in own
            if mine and before.get(name) != after.get(name):
                deeper = section not in GROUPS and isinstance(before.get(name), BaseModel)
                where = f"[{section}.{name}]" if deeper else place((section, name))
                new_or_gone = " (new)" if name not in before else " (gone)" if name not in after else ""
                yield where + new_or_gone, part.live


def merged(running: Config, new: Config) -> Config:
    """The new configuration with what needs a restart as it is now."""
    kept: dict[str, Any] = {}
    for part in PARTS:
        section, _, key = part.name.partition(".")
        if part.live:
            continue
        now = getattr(running, section)
        kept[section] = getattr(new, section).model_copy(update={key: getattr(now, key)}) if key else now
    return new.model_copy(update=kept)


def _items(section: object) -> dict[str, object]:
    """A section's settings by name, one level deep."""
    if isinstance(section, BaseModel):
        return dict(section)
    return dict(section) if isinstance(section, Mapping) else {}

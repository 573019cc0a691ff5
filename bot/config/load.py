"""From a file and the environment to a checked `Config`, or to every problem at once."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from bot import paths, plugins
from bot.config import document, names, prices, report, secrets
from bot.config.document import Document
from bot.config.locate import Loc
from bot.config.people import CHANNELS, unused, with_identities
from bot.config.report import Finding
from bot.config.schema import Config
from bot.config.secrets import SecretMissing
from bot.config.strays import strays
from bot.config.validate import validate
from bot.errors import ConfigError
from bot.paths import Env
from bot.plugins import PluginError
from channels.base import ChannelSpec

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, the file it came from (None: there is none), and lines for its owner to read."""

    config: Config
    origin: Path | None
    notices: tuple[str, ...] = ()


def load_config(path: Path | None, env: Env) -> Loaded:
    """Load the file `path` (from --config), or the one that `bot.paths` finds. Raises `ConfigError`."""
    source, notices = _find(path, env)
    if source is None:
        return Loaded(Config(), None, tuple(notices))
    reader = _Reader(source, env)
    config = reader.read()
    if config is None:
        raise ConfigError(reader.lines(fatal=True))
    return Loaded(config, source.file, (*notices, *reader.lines(fatal=False)))


def faults(source: Document, env: Env) -> list[Finding]:
    """What keeps a configuration that isn't in use yet from being used."""
    reader = _Reader(source, env)
    reader.read()
    return reader.faults


def _find(path: Path | None, env: Env) -> tuple[Document | None, list[str]]:
    named = paths.named_config(path, env)
    if named is not None:
        try:
            return document.read(named), []
        except OSError as error:
            by = "--config" if path else "$NANOBOT_CONFIG"
            raise ConfigError(
                [f"{named}: can't be read: {error.strerror}; {by} has to name a file"]
            ) from error
    for usual in paths.usual_configs(env):
        try:
            return document.read(usual), []
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            line = f"{usual}: can't be read: {error.strerror}"
            if usual != paths.SYSTEM_CONFIG:
                raise ConfigError([f"{line}; make it readable, or move it away"]) from error
            return None, [f"{line}; going on without a configuration"]
    return None, []


class _Reader:
    """Goes through one file and gathers what there is to say about it."""

    def __init__(self, source: Document, env: Env) -> None:
        self._source = source
        self._env = env
        self._findings: list[Finding] = []

    def read(self) -> Config | None:
        """The configuration, or None where a finding is fatal."""
        data = copy.deepcopy(self._source.data)
        stray = list(strays(data))
        for finding in stray:
            del data[str(finding.loc[0])]
        channels = self._channels(data.pop("channels", {}))
        data["people"], wrong = with_identities(data.get("people", {}))
        config = self._section(Config, data, ())
        # With a misspelt section every name that it defines would be reported as unknown, too.
        self._findings += [*stray, *wrong, *([] if stray else names.check(data, self._env))]
        if config is None or any(finding.fatal for finding in self._findings):
            return None
        self._findings += [*prices.check(config, self._env), *unused(config, channels)]
        return config.model_copy(update={"channels": channels})

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self._findings if finding.fatal]

    def lines(self, *, fatal: bool) -> list[str]:
        chosen = [finding for finding in self._findings if finding.fatal is fatal]
        return report.lines(chosen, self._source.file, self._source.where)

    def _channels(self, tables: Any) -> dict[str, BaseModel]:
        if not isinstance(tables, dict):
            text = f"found {report.found(tables)}; expected sections of the form [channels.NAME]"
            self._findings.append(Finding(("channels",), text))
            return {}
        made = {kind: self._channel(kind, table) for kind, table in tables.items()}
        return {kind: settings for kind, settings in made.items() if settings is not None}

    def _channel(self, kind: str, table: Any) -> BaseModel | None:
        at: Loc = ("channels", kind)
        installed = plugins.names(CHANNELS)
        if kind not in installed:
            near = report.nearest(kind, installed)
            fix = (
                f"did you mean [channels.{near}]?" if near else f"there are: {', '.join(installed) or 'none'}"
            )
            self._findings.append(Finding(at, f"unknown channel; {fix}"))
            return None
        try:
            spec = plugins.load(CHANNELS, kind, ChannelSpec)
        except PluginError as error:
            self._findings.append(Finding(at, str(error)))
            return None
        return self._section(spec.settings, table, at)

    def _section(self, model: type[M], data: Any, at: Loc) -> M | None:
        missing = self._fill_in_secrets(model, data, at)
        made, wrong = validate(model, data, at)
        # The reference itself isn't what the settings should judge.
        self._findings += [finding for finding in wrong if finding.loc not in missing]
        return made

    def _fill_in_secrets(self, model: type[BaseModel], data: Any, at: Loc) -> set[Loc]:
        """Replace each reference in `data` by the secret; returns the places of those that can't be found."""
        file, missing, written = self._source.file, set(), []
        for loc in dict.fromkeys(secrets.places(model, data)):
            table = data
            for step in loc[:-1]:
                table = table[step]
            try:
                secret = secrets.resolve(table[loc[-1]], file.parent, self._env)
            except SecretMissing as error:
                missing.add((*at, *loc))
                self._findings.append(Finding((*at, *loc), str(error)))
                continue
            table[loc[-1]] = secret.text
            if secret.warning:
                self._findings.append(Finding((*at, *loc), secret.warning, fatal=False))
            if secret.literal:
                written.append((*at, *loc))
        if written and secrets.open_to_all(file):
            text = f"every user of this machine can read this secret; run: chmod 600 {file}"
            self._findings.append(Finding(written[0], text, fatal=False))
        return missing

"""`nanobot check`: what the configuration says, without starting anything."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bot import paths, plugins
from bot.agent.profiles import Profiles, Usable
from bot.config import Config, Loaded, PersonSettings, names
from bot.errors import ConfigError
from bot.paths import Env
from bot.plugins import PluginError
from bot.schedule.spec import JobSpec
from bot.toolbox import Toolbox, ToolSpec
from providers import gguf, llama
from providers.base import ProviderSpec
from providers.presets import complete
from providers.settings import ProviderSettings

TOOLS = "bot.tools"
JOBS = "bot.jobs"
ADAPTERS = "providers.adapters"


def checked(loaded: Loaded, env: Env, data: Path | None = None) -> Loaded:
    """The same, once every extension that it needs was loaded, too; with `data`, the data folder, once the profiles of
    workers were read. Raises ConfigError for what can't be used.
    """
    problems = list(_broken(loaded.config, env))
    if data is not None and not problems:
        problems = _profiles(loaded.config, paths.workspace_folder(loaded.config.workspace.path, data, env))
    if problems:
        raise ConfigError(problems)
    return loaded


def _broken(config: Config, env: Env) -> Iterator[str]:
    for name in plugins.names(TOOLS):
        if name not in config.tools.off:
            yield from _problem(TOOLS, name, ToolSpec)
    for name in plugins.names(JOBS):
        if name not in config.jobs or not config.jobs[name].off:
            yield from _problem(JOBS, name, JobSpec)
    kinds = {complete(name, settings, env).kind or "" for name, settings in config.providers.items()}
    for kind in sorted(kinds):
        yield from _problem(ADAPTERS, kind, ProviderSpec)
    for name, settings in config.providers.items():
        yield from _file_problems(name, settings)


def _profiles(config: Config, workspace: Path) -> list[str]:
    """What is wrong with `agents/*.md`; a model that only a running server knows of may be named."""
    on = (name for name in plugins.names(TOOLS) if name not in config.tools.off)
    box = Toolbox(plugins.load(TOOLS, name, ToolSpec) for name in on)
    return Profiles(workspace).problems(Usable(box.names(), partial(names.unusable, config)))


def _file_problems(name: str, settings: ProviderSettings) -> Iterator[str]:
    """What keeps a model's file from being served."""
    if settings.gguf is not None:
        problem = gguf.problem(Path(settings.gguf)) or llama.missing()
        if problem:
            yield f"providers.{name}: {problem}"


def _problem(package: str, name: str, expected: type[object]) -> Iterator[str]:
    try:
        plugins.load(package, name, expected)
    except PluginError as error:
        yield str(error)


def check_lines(loaded: Loaded, data: Path, env: Env) -> list[str]:
    """What to print for a configuration that can be used; no secret among it. `data` is the data folder."""
    config = loaded.config
    looked = " or ".join(map(str, paths.usual_configs(env)))
    rows = (
        ("configuration", str(loaded.origin) if loaded.origin else f"none in {looked}; the defaults hold"),
        ("data", str(data)),
        ("workspace", str(paths.workspace_folder(config.workspace.path, data, env))),
        ("providers", ", ".join(_providers(config, env)) or "none named; those found at the start are used"),
        ("roles", ", ".join(f"{role} = {name}" for role, name in config.roles.given.items()) or "by default"),
        ("channels", ", ".join(config.channels) or "none named; the terminal is always there"),
        ("people", ", ".join(_people(config)) or "none named"),
        ("owner", ", ".join(_owners(config)) or "the first person whom `nanobot pair approve` lets in"),
        ("tools off", ", ".join(config.tools.off) or "none"),
    )
    width = max(len(name) for name, _ in rows) + 2
    lines = [f"{name:{width}}{value}" for name, value in rows]
    verdict = "The configuration can be used" + (", but read this:" if loaded.notices else ".")
    return [*lines, verdict, *loaded.notices]


def _providers(config: Config, env: Env) -> Iterator[str]:
    for name, settings in config.providers.items():
        yield f"{name} ({_key(name, settings, env)})"


def _key(name: str, settings: ProviderSettings, env: Env) -> str:
    if settings.gguf is not None:
        return settings.gguf
    if settings.api_key is not None:
        return "with a key"
    found = complete(name, settings, env).api_key is not None
    return "with a key from the environment" if found else "without a key"


def _people(config: Config) -> Iterator[str]:
    for name, person in config.people.items():
        yield f"{name} ({_identities(person) or 'no channel'})"


def _identities(person: PersonSettings) -> str:
    return ", ".join(f"{kind} {' and '.join(ids)}" for kind, ids in person.identities.items())


def _owners(config: Config) -> Iterator[str]:
    return (name for name, person in config.people.items() if person.role == "owner")

"""Models that could not be used because a limit in money stands in the file and nobody says what they cost."""

from __future__ import annotations

from collections.abc import Iterator

from bot.config.report import Finding
from bot.config.schema import Config
from bot.paths import Env
from providers import refs
from providers.errors import UnknownName
from providers.presets import preset_for
from providers.registry import Catalog
from providers.settings import Limit
from providers.thrift import costs_nothing
from providers.types import Route


def check(config: Config, env: Env) -> Iterator[Finding]:
    """One finding for each such model that the file names."""
    setting = next(_in_money(config), None)
    if setting is None:
        return
    catalog = Catalog.of(config.providers, config.models, config.roles.given, config.fallback, env)
    for route in dict.fromkeys(_named(config, catalog)):
        preset = preset_for(route.provider, catalog.providers[route.provider])
        # What a gateway charges is learned from its list.
        told = preset is not None and preset.catalogue
        if not told and not costs_nothing(catalog, route) and catalog.info(route).price is None:
            text = (
                f"{route} is not asked while {setting} holds, since its price is not known; "
                f'set [providers.{route.provider}] model_info."{route.model}".price'
            )
            yield Finding(("providers", route.provider), text, fatal=False)


def _in_money(config: Config) -> Iterator[str]:
    tables: dict[str, Limit] = {"limits": config.limits}
    tables |= {f"limits.roles.{role}": limit for role, limit in config.limits.roles.items()}
    for name, limit in tables.items():
        for key, value in limit:
            if "usd" in key and value is not None:
                yield f"{name}.{key}"


def _named(config: Config, catalog: Catalog) -> Iterator[Route]:
    names = catalog.names()
    for name in (*config.models, *config.roles.given, *config.fallback, *config.providers):
        try:
            routes = refs.resolve(name, names).routes
        except UnknownName:
            continue  # found by `bot.config.names`
        yield from (route for route in routes if route.model)

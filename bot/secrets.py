"""Every secret that may be used, so that it can be left out of whatever is logged or told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, SecretStr

from bot.config import Config
from providers.discovery import keys_in_environment


def secrets(config: Config, env: Mapping[str, str]) -> Iterator[str]:
    """Those of the configuration, and the keys that the environment holds."""
    for settings in (config, *(found.settings for found in keys_in_environment(env))):
        yield from _secrets(settings)


def _secrets(settings: BaseModel) -> Iterator[str]:
    for _, value in settings:
        several = (
            value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else [value]
        )
        for one in several:
            if isinstance(one, SecretStr):
                yield one.get_secret_value()
            elif isinstance(one, BaseModel):
                yield from _secrets(one)

"""Where the files lie that the configuration names, once the data folder is known."""

from __future__ import annotations

from pathlib import Path

from bot import paths
from bot.config.schema import Config
from bot.paths import Env
from providers.settings import ProviderSettings


def placed(config: Config, data: Path, env: Env) -> Config:
    """The same with every model's file by its absolute path, and the model called after it unless it has a name."""
    found: dict[str, ProviderSettings] = {}
    for name, settings in config.providers.items():
        if settings.gguf:
            file = paths.model_file(settings.gguf, data, env)
            called = settings.default_model or file.stem
            found[name] = settings.model_copy(update={"gguf": str(file), "default_model": called})
    return config.model_copy(update={"providers": {**config.providers, **found}}) if found else config

"""What the answers given to `nanobot init` come to in the configuration file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.cli.draft import Draft
from bot.config.edit import Place
from providers.presets import PRESETS
from providers.registry import Catalog, FoundProvider
from providers.settings import ProviderSettings


def found_values(one: FoundProvider, variable: str) -> dict[Place, object]:
    """What the file has to say for something that was found to be used; its key stays in the environment."""
    at = ("providers", one.name)
    if variable:
        return {(*at, "api_key"): f"env:{variable}"}
    base = one.settings.api_base
    return {at: {}} if base == PRESETS[one.name].api_base else {(*at, "api_base"): base}


def found_comment(one: FoundProvider, variable: str) -> str:
    """What the file is to say above it."""
    if variable:
        return f"The key stays in the environment: {variable} has to be set wherever nanobot is started."
    if one.name == "starter":
        return "The small built-in model, which answers when nobody else can."
    return "A model server on this machine."


def gguf_values(file: Path) -> dict[Place, object]:
    at = ("providers", "local_model")
    return {(*at, "kind"): "llamacpp", (*at, "gguf"): os.path.abspath(file)}  # noqa: PTH100 -- without following links


def owner_name(people: Any) -> str:
    """The owner's section in `[people]`, or what it is to be called."""
    table = people if isinstance(people, Mapping) else {}
    owners = (
        n for n, person in table.items() if isinstance(person, Mapping) and person.get("role") == "owner"
    )
    return next(owners, "owner")


def paying(draft: Draft) -> list[str]:
    """The providers whose models may cost something."""
    table = draft.get(("providers",))
    names = draft.names("providers")
    settings = {name: _settings_of(table[name]) for name in names}
    catalog = Catalog.of(settings)
    return [name for name in names if not catalog.free(name) and settings[name].kind != "llamacpp"]


def dollars(said: str) -> float:
    """An amount as somebody types it. Raises ValueError."""
    try:
        value = float(said.replace("$", "").replace(",", ".").strip())
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise ValueError(f"{said} is no amount")
    return round(value, 2)


def _settings_of(section: Any) -> ProviderSettings:
    """A section as far as it matters for what it costs; its mistakes are named elsewhere."""
    table = section if isinstance(section, Mapping) else {}
    base, kind = table.get("api_base"), table.get("kind")
    return ProviderSettings(
        api_base=base if isinstance(base, str) and base.startswith(("http://", "https://")) else None,
        kind=kind if isinstance(kind, str) else None,
        anonymous=table.get("anonymous") is True,
    )

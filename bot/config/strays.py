"""What stands at the top of the file without being a section, and where it was probably meant to go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot import plugins
from bot.config import describe
from bot.config.people import CHANNELS
from bot.config.report import GROUPS, Finding, dotted, nearest
from bot.config.schema import Config
from providers.presets import PRESETS


def strays(data: Mapping[str, Any]) -> Iterator[Finding]:
    """One finding for each unknown section and for each key above all sections."""
    known = list(Config.model_fields)
    for name, value in data.items():
        if name in known:
            continue
        if isinstance(value, dict | list):
            near = _section(name, value, known)
            fix = f"did you mean [{near}]?" if near else f"there are: {', '.join(known)}"
            yield Finding((name,), f"unknown section; {fix}")
        else:
            homes = _homes(name, known)
            fix = f"did you mean to put it below {homes}?" if homes else f"there are: {', '.join(known)}"
            yield Finding((name,), f"stands in no section; {fix}", label=dotted([name]))


def _section(name: str, value: Any, known: list[str]) -> str | None:
    for group, members in (("channels", plugins.names(CHANNELS)), ("providers", list(PRESETS))):
        if name in members:
            return f"{group}.{name}"
    near = nearest(name, known)
    if (
        near in GROUPS
        and isinstance(value, dict)
        and value
        and all(isinstance(v, dict) for v in value.values())
    ):
        return dotted([near, next(iter(value))])
    return near


def _homes(key: str, sections: list[str]) -> str:
    schema = Config.model_json_schema()
    return " or ".join(
        f"[{section}]" for section in sections if key in describe.known_keys(schema, (section,))
    )

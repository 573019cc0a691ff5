"""A provider's key from the keyboard into the configuration file."""

from __future__ import annotations

from pathlib import Path

from bot.config.edit import Place, set_values, values_of


def write_key(file: Path, provider: str, key: str) -> None:
    """Put a key into `[providers.<provider>]` of a configuration file, which then only its owner can read.

    What stands in it stays as it is: a key that is there is replaced, of several the first; a file that is missing is
    made. Raises ConfigError, BotError.
    """
    set_values(file, key_values(file, provider, key))


def key_values(file: Path, provider: str, key: str) -> dict[Place, object]:
    """The change that `write_key` makes. Raises ConfigError, BotError."""
    table = values_of(file).get("providers", {})
    section = table.get(provider, {}) if isinstance(table, dict) else {}
    several = section.get("api_keys") if isinstance(section, dict) else None
    if isinstance(several, list) and several:
        return {("providers", provider, "api_keys"): [key, *(k for k in several[1:] if k != key)]}
    return {("providers", provider, "api_key"): key}

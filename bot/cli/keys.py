"""A provider's key from the keyboard into the configuration file."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import httpx

from bot.errors import BotError, ConfigError
from providers.presets import Preset

_CHECK_SECONDS = 10.0
_REFUSED = (400, 401, 403)
"""What providers say to a list request with a wrong key; 400 is Gemini's and xAI's word for it."""
_CHECKS = {"openrouter": "/key"}
"""Where the list of models is public, another address that needs the key and costs nothing."""


async def check_key(preset: Preset, key: str, transport: httpx.AsyncBaseTransport | None = None) -> str:
    """Show the key to its provider in a request that costs nothing. "" if it will do, else one line saying why not.

    A provider that can't be reached now is no reason against the key.
    """
    if not (key.isascii() and key.isprintable() and " " not in key):
        return "That is no key: it holds a space or a character that no key has. Was something else pasted with it?"
    url = f"{preset.api_base}{_CHECKS.get(preset.name, '/models')}"
    headers = {"Authorization": f"Bearer {key}"}
    if preset.name == "anthropic":
        # Its list of models wants its own headers; see https://docs.anthropic.com/en/api/models-list
        headers |= {"x-api-key": key, "anthropic-version": "2023-06-01"}
        del headers["Authorization"]
    try:
        async with httpx.AsyncClient(transport=transport, timeout=_CHECK_SECONDS) as http:
            response = await http.get(url, headers=headers)
    except httpx.HTTPError:
        return ""
    if response.status_code in _REFUSED:
        return (
            f"{preset.name} refuses this key (status {response.status_code}); please check it and try again."
        )
    return ""


def write_key(file: Path, provider: str, key: str) -> None:
    """Add `[providers.<provider>]` with its key to a configuration file, which then only its owner can read.

    What stands in it stays as it is; a file that is missing is made. Raises ConfigError, BotError.
    """
    section = f"[providers.{provider}]\napi_key = {json.dumps(key)}\n"
    target = file.resolve()
    try:
        before = target.read_text(encoding="utf-8") if target.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BotError(f"{file}: can't be read: {error}") from error
    text = f"{before.rstrip()}\n\n{section}" if before.strip() else section
    try:
        added = tomllib.loads(text)["providers"][provider] == {"api_key": key}
    except (tomllib.TOMLDecodeError, KeyError):
        added = False
    if not added:
        raise ConfigError(
            [f"{file}: already speaks of providers in a way that can't be added to; put it in yourself"]
        )
    try:
        _replace(target, text)
    except OSError as error:
        raise BotError(f"{file}: can't be written: {error.strerror}; choose another with --config") from error


def _replace(file: Path, text: str) -> None:
    """Write the whole file anew, or leave the old one: a power cut in between loses neither."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        new.chmod(0o600)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise

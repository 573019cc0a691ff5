"""The first-run choice: nothing to answer with was found, and somebody sits at the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bot import paths
from bot.cli.asking import Ask, ask
from bot.cli.client import search
from bot.cli.options import Options
from bot.errors import BotError

if TYPE_CHECKING:
    from bot.config import Loaded
    from providers.keycheck import Verdict
    from providers.presets import Preset
    from providers.settings import ProviderSettings

OLD = "~/.nanobot/config.json"
"""Where two older programs of this name kept theirs."""
MARKER = "first-run"
"""A file in the data folder that says the choice was made; without it, it is offered at each start."""
_CHOICE = """\
There is no model to talk to yet: no server here, no key, none configured.

  1  enter a key (OpenRouter and others; free ones will do)
  2  the small built-in model (it chats a little; works offline)
  3  skip for now (this isn't asked again)
  4  sign in at OpenRouter (free models; an account is enough, and no key to copy)

`nanobot init` sets up all of this, Telegram and limits too, at any time.
"""


KEYS_AT = {"openrouter": "https://openrouter.ai/settings/keys (an account is free, and so are some models)"}
CheckKey = Callable[[str, "ProviderSettings", str], Awaitable["Verdict"]]


@dataclass(frozen=True, slots=True)
class Means:
    """How the world is reached. `install` and `sign_in` say whether it worked, and tell the person why it didn't."""

    ask: Ask
    check: CheckKey
    install: Callable[[], Awaitable[bool]]
    sign_in: Callable[[], Awaitable[bool]]


async def ready(options: Options) -> Loaded | None:
    """The configuration that a bot in this process is to start with, after the choice where there is one to make.

    None where a bot runs already, which has its own. Raises ConfigError.
    """
    if search(options.sockets).found is not None:
        return None
    loaded = options.load()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return loaded
    if (options.data_folder / MARKER).exists():
        return loaded
    if line := old_configuration(options):
        print(line)
    if not await nothing_found(loaded, options):
        return loaded
    from providers.keycheck import check_key  # noqa: PLC0415 -- only on the first run

    means = Means(ask, check_key, install, partial(sign_in, options))
    if await FirstRun(options, loaded.origin, means).choose():
        return options.load()
    return loaded


def old_configuration(options: Options) -> str:
    """One line where an older program left a configuration and there is none of this one's; "" otherwise."""
    old = paths.expand(OLD, options.env)
    if options.config_file.exists() or not old.is_file():
        return ""
    return f"There is a configuration of an older nanobot in {old}; `nanobot import` takes it over."


async def nothing_found(loaded: Loaded, options: Options) -> bool:
    """Whether there is neither a configured provider, nor a local server, nor a key."""
    from bot.discovery import STARTER, Discovery  # noqa: PLC0415 -- httpx and more, only without a daemon

    if loaded.config.providers:
        return False
    return not set((await Discovery(loaded.config, options.env).catalog()).providers) - {STARTER}


class FirstRun:
    """The dialogue. `origin` is the configuration file in use, if any."""

    def __init__(self, options: Options, origin: Path | None, means: Means) -> None:
        self._options = options
        self._origin = origin
        self._means = means

    async def choose(self) -> bool:
        """Let the person choose, and do it. Returns whether the configuration file has changed."""
        print(_CHOICE)
        while True:
            match (await self._means.ask("Your choice [2]: ")).strip():
                case "1":
                    if await self._enter_key():
                        return True
                case "" | "2":
                    if await self._means.install():
                        self._remember("built-in")
                        return False
                case "3":
                    self._remember("skip")
                    return False
                case "4":
                    if await self._means.sign_in():
                        return True
                case _:
                    print("Please type 1, 2, 3 or 4.")

    async def _enter_key(self) -> bool:
        from bot.cli.keys import write_key  # noqa: PLC0415 -- only where a key is entered

        preset = await self._preset()
        if preset is None:
            return False
        if preset.name in KEYS_AT:
            print(f"Keys are made at {KEYS_AT[preset.name]}")
        key = (await self._means.ask(f"{preset.name} key (it isn't shown): ", hidden=True)).strip()
        if not key:
            return False
        from providers.presets import complete  # noqa: PLC0415 -- pydantic
        from providers.settings import ProviderSettings  # noqa: PLC0415 -- as above

        verdict = await self._means.check(preset.name, complete(preset.name, ProviderSettings(), {}), key)
        print(f"{verdict.text}.")
        if not verdict.usable:
            return False
        file = self._origin or self._options.config_file
        write_key(file, preset.name, key)
        print(f"Written to {file}.")
        return True

    async def _preset(self) -> Preset | None:
        from providers.presets import PRESETS  # noqa: PLC0415 -- pydantic

        known = [preset for preset in PRESETS.values() if preset.needs_key]
        print(f"Providers: {', '.join(preset.name for preset in known)}")
        name = (await self._means.ask("Which one [openrouter]: ")).strip().lower() or "openrouter"
        preset = next((preset for preset in known if preset.name == name), None)
        if preset is None:
            # What was typed isn't repeated: it may be the key.
            print(
                "That is none of these names (the key comes after it); others go into the configuration file."
            )
        return preset

    def _remember(self, choice: str) -> None:
        folder = self._options.data_folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(folder / MARKER, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(f"{choice}\n")


async def install() -> bool:
    """Install the built-in model, if it isn't."""
    from bot import local  # noqa: PLC0415 -- only where it is wanted

    if local.status().installed:
        return True
    try:
        await local.install(print)
    except BotError as error:
        print(error)
        return False
    return True


async def sign_in(options: Options) -> bool:
    """Sign in at OpenRouter, which puts its key into the configuration; says why it didn't."""
    from bot.cli.login import login_openrouter  # noqa: PLC0415 -- only where it is wanted

    try:
        await login_openrouter(options)
    except BotError as error:
        print(error)
        return False
    return True

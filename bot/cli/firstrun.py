"""The first-run choice: nothing to answer with was found, and somebody sits at the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot import paths
from bot.cli.client import search
from bot.cli.options import Options
from bot.errors import BotError

if TYPE_CHECKING:
    from bot.config import Loaded
    from providers.presets import Preset

MARKER = "first-run"
"""A file in the data folder that says the choice was made; without it, it is offered at each start."""
_CHOICE = """\
There is no model to talk to yet: no server here, no key, none configured.

  1  enter a key (OpenRouter and others; free ones will do)
  2  the small built-in model (it chats a little; works offline)
  3  skip for now (this isn't asked again)
"""


class Ask(Protocol):
    """Asks the person at the terminal; returns the line. Raises EOFError, KeyboardInterrupt."""

    def __call__(self, question: str, *, hidden: bool = False) -> Awaitable[str]: ...


_KEYS_AT = {"openrouter": "https://openrouter.ai/settings/keys (an account is free, and so are some models)"}
Install = Callable[[], Awaitable[bool]]
"""Sees to it that the built-in model is there; tells the person itself why it isn't."""
CheckKey = Callable[["Preset", str], Awaitable[str]]


async def ready(options: Options) -> Loaded | None:
    """The configuration that a bot in this process is to start with, after the choice where there is one to make.

    None where a bot runs already, which has its own. Raises ConfigError.
    """
    if search(options.sockets).found is not None:
        return None
    loaded = options.load()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return loaded
    if (options.data_folder / MARKER).exists() or not await nothing_found(loaded, options):
        return loaded
    from bot.cli.keys import check_key  # noqa: PLC0415 -- only on the first run

    if await FirstRun(options, loaded.origin, ask, install, check_key).choose():
        return options.load()
    return loaded


async def nothing_found(loaded: Loaded, options: Options) -> bool:
    """Whether there is neither a configured provider, nor a local server, nor a key."""
    from bot.discovery import STARTER, Discovery  # noqa: PLC0415 -- httpx and more, only without a daemon

    if loaded.config.providers:
        return False
    return not set((await Discovery(loaded.config, options.env).catalog()).providers) - {STARTER}


class FirstRun:
    """The dialogue. `origin` is the configuration file in use, if any."""

    def __init__(
        self, options: Options, origin: Path | None, ask: Ask, install: Install, check: CheckKey
    ) -> None:
        self._options = options
        self._origin = origin
        self._ask = ask
        self._install = install
        self._check = check

    async def choose(self) -> bool:
        """Let the person choose, and do it. Returns whether the configuration file has changed."""
        print(_CHOICE)
        while True:
            match (await self._ask("Your choice [2]: ")).strip():
                case "1":
                    if await self._enter_key():
                        return True
                case "" | "2":
                    if await self._install():
                        self._remember("built-in")
                        return False
                case "3":
                    self._remember("skip")
                    return False
                case _:
                    print("Please type 1, 2 or 3.")

    async def _enter_key(self) -> bool:
        from bot.cli.keys import write_key  # noqa: PLC0415 -- only where a key is entered

        preset = await self._preset()
        if preset is None:
            return False
        if preset.name in _KEYS_AT:
            print(f"Keys are made at {_KEYS_AT[preset.name]}")
        key = (await self._ask(f"{preset.name} key (it isn't shown): ", hidden=True)).strip()
        if not key:
            return False
        problem = await self._check(preset, key)
        if problem:
            print(problem)
            return False
        file = self._origin or paths.named_config(self._options.config, self._options.env)
        file = file or paths.usual_configs(self._options.env)[0]
        write_key(file, preset.name, key)
        print(f"Written to {file}.")
        return True

    async def _preset(self) -> Preset | None:
        from providers.presets import PRESETS  # noqa: PLC0415 -- pydantic

        known = [preset for preset in PRESETS.values() if preset.needs_key]
        print(f"Providers: {', '.join(preset.name for preset in known)}")
        name = (await self._ask("Which one [openrouter]: ")).strip().lower() or "openrouter"
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


async def ask(question: str, *, hidden: bool = False) -> str:
    """Ask at the terminal. Raises EOFError, KeyboardInterrupt."""
    from prompt_toolkit import PromptSession  # noqa: PLC0415 -- only where somebody is asked

    session: PromptSession[str] = PromptSession()
    return await session.prompt_async(question, is_password=hidden)


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

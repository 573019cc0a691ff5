"""`nanobot login openrouter`: an account's key without copying one, by OAuth's PKCE.

With a browser on this machine the page hands a code to an address that is listened on here; without, it shows the code
and the person pastes it. Either way the code is worth nothing without the verifier, which never leaves this process.
"""

from __future__ import annotations

import asyncio
import sys
import tomllib
import webbrowser
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from bot.cli.callback import Callback
from bot.cli.client import search
from bot.cli.keys import write_key
from bot.cli.options import Options
from bot.errors import BotError
from providers import catalogue, presets
from providers.errors import Denied, ProviderError
from providers.openrouter import CODE_VALID, OpenRouter, Pkce, sign_in_url
from providers.settings import ProviderSettings

PROVIDER = "openrouter"
_CANCELLED = "Nobody signed in; nothing has changed. `nanobot login openrouter` starts again."


@dataclass(frozen=True, slots=True)
class Person:
    """How the person is reached. `open` shows an address in a browser and says whether there is one."""

    open: Callable[[str], bool]
    ask: Callable[[str], Awaitable[str]]
    tell: Callable[[str], None]
    patience: float = CODE_VALID
    """Seconds."""


async def login_openrouter(options: Options, *, browser: bool = True, person: Person | None = None) -> None:
    """Sign in and put the key into the configuration file. Raises BotError, which leaves the file as it was.

    `browser` False, or a machine without a screen, shows an address to open elsewhere.
    """
    person = person or Person(webbrowser.open, _ask, partial(print, flush=True))  # it waits on what it said
    file = options.config_file
    base, first = _said(file)
    key, told = await signed_in(base, person, browser=browser and has_screen(options.env))
    write_key(file, PROVIDER, key.get_secret_value())
    person.tell(f"Signed in at OpenRouter; the key is in {file}.")
    for line in told:
        person.tell(line)
    if first:
        person.tell(
            "From now on only the providers named in that file are asked; `nanobot init` adds a local server or others."
        )
    running = search(options.sockets).found
    if running is not None:
        person.tell("A nanobot is running and doesn't know the key yet: `nanobot reload` tells it.")


async def signed_in(base: str, person: Person, *, browser: bool) -> tuple[SecretStr, list[str]]:
    """A key for OpenRouter at `base`, and what it opens, one line each. Raises BotError."""
    settings = ProviderSettings(api_base=base)
    pkce = Pkce.new()
    try:
        async with asyncio.timeout(person.patience):
            code = await _code(base, pkce, person, browser=browser)
    except TimeoutError:
        raise BotError(f"No sign-in within {person.patience / 60:.0f} minutes. {_CANCELLED}") from None
    except EOFError:
        raise BotError(_CANCELLED) from None
    key = await _exchanged(OpenRouter(settings), code, pkce)
    return key, await _checked(OpenRouter(settings.model_copy(update={"api_key": key})))


def has_screen(env: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser on this machine would be seen by whoever sits at this terminal."""
    if env.get("BROWSER"):
        return True
    if env.get("SSH_CONNECTION") or env.get("SSH_TTY"):
        return False
    return platform in ("darwin", "win32") or bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))


async def _code(base: str, pkce: Pkce, person: Person, *, browser: bool) -> str:
    if browser:
        async with Callback.listening() as callback:
            url = sign_in_url(base, pkce, callback.url)
            if await asyncio.to_thread(person.open, url):
                person.tell(
                    f"Please sign in in your browser. If no page has opened there, this is its address:\n{url}"
                )
                return await callback.code()
    url = sign_in_url(base, pkce)
    person.tell(
        f"Please open this address in any browser, sign in, and paste here the code that it shows:\n{url}"
    )
    code = _pasted(await person.ask("Code: "))
    if not code:
        raise BotError(_CANCELLED)
    return code


def _pasted(text: str) -> str:
    """The code, also out of a whole address that holds it."""
    text = text.strip()
    held = parse_qs(urlsplit(text).query).get("code") if "://" in text else None
    return held[0] if held else text


async def _exchanged(gateway: OpenRouter, code: str, pkce: Pkce) -> SecretStr:
    try:
        return SecretStr(await gateway.exchange(code, pkce))
    except ProviderError as error:
        raise BotError(
            f"OpenRouter gave no key for that code ({error.detail or error.summary}); a code is good once, for ten "
            "minutes. `nanobot login openrouter` starts again."
        ) from error
    finally:
        await gateway.aclose()


async def _checked(gateway: OpenRouter) -> list[str]:
    """What the key opens, one line each. Raises BotError where it opens nothing."""
    try:
        calls = await gateway.free_calls()
        fetched = await gateway.models()
    except Denied as error:
        raise BotError(
            f"OpenRouter refuses the key that it just gave: {error.detail}. {_CANCELLED}"
        ) from error
    except ProviderError as error:
        return [f"What it opens could not be asked now: OpenRouter {error.summary}."]
    finally:
        await gateway.aclose()
    entries = catalogue.parse(fetched.models if fetched else [])
    free = catalogue.ranked(PROVIDER, entries, {}, datetime.now(UTC).date())
    best = catalogue.pick(free)
    more = f" and {len(free) - len(best)} more" if len(free) > len(best) else ""
    lines = (
        [f"Free now: {', '.join(best)}{more}. The name `free` stands for the best of them."] if best else []
    )
    if calls is not None:
        lines.append(
            f"Free requests a day: {calls.limit}, {calls.used} of them used today (until 00:00 UTC)."
        )
    return lines


def _said(file: Path) -> tuple[str, bool]:
    """OpenRouter's address, which the file may change, and whether the file names no provider yet.

    Nothing else of the file is looked at: that it can't be used without a key is no reason against getting one.
    """
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise BotError(f"{file}: can't be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise BotError(f"{file}: is no TOML file ({error}); `nanobot check` says more") from error
    providers = data.get("providers")
    section = providers.get(PROVIDER) if isinstance(providers, dict) else None
    base = section.get("api_base") if isinstance(section, dict) else None
    return base if isinstance(base, str) else presets.PRESETS[PROVIDER].api_base or "", not providers


async def _ask(question: str) -> str:
    """A line from the terminal, or from whatever stands in for it."""
    if sys.stdin.isatty():
        from bot.cli.asking import ask  # noqa: PLC0415 -- prompt_toolkit, only at a terminal

        return await ask(question)
    return await asyncio.to_thread(sys.stdin.readline)

"""`nanobot init`: a first configuration, or changes to the one there is, by questions or by flags."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bot import paths
from bot.cli.asking import Ask, ask
from bot.cli.choices import gguf_values
from bot.cli.draft import Draft
from bot.cli.firstrun import old_configuration
from bot.cli.options import Options
from bot.cli.tokens import TELEGRAM, check_token
from bot.cli.wizard import Wizard, World
from bot.config import load_config
from bot.errors import BotError, ConfigError
from providers import gguf, llama
from providers.keycheck import Verdict, check_key
from providers.machine import available_memory
from providers.presets import PRESETS, complete, privacy_line
from providers.settings import ProviderSettings

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""


class Usage(BotError):
    """Flags that don't go together."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Flags:
    """What scripts say in the place of answers."""

    provider: str = ""
    key_env: str = ""
    key_file: Path | None = None
    api_base: str = ""
    anonymous: bool = False
    gguf: Path | None = None
    telegram_token_env: str = ""
    limit_day: float | None = None
    limit_month: float | None = None
    yes: bool = False

    @property
    def given(self) -> bool:
        return self != Flags(yes=self.yes)


@dataclass(slots=True)
class Report:
    """What `nanobot init --json` prints. `checks` are the keys and tokens that were tried."""

    file: Path
    written: bool = False
    changes: dict[str, object] = field(default_factory=dict)
    """By place in the file, without the secrets."""
    lines: list[str] = field(default_factory=list)
    checks: list[tuple[str, Verdict]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        checks = [{"subject": s, "state": v.state, "text": v.text} for s, v in self.checks]
        return {"file": str(self.file), "written": self.written, "changes": self.changes, "checks": checks}


async def by_questions(options: Options) -> int:
    """Let a person at the terminal answer. Returns the exit code. Raises BotError."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("`nanobot init` asks questions and needs a terminal; for scripts: `nanobot init --help`")
    draft = Draft(options.config_file)
    _complain_about(draft.file, options)
    if line := old_configuration(options):
        print(f"{line} Ctrl-C leaves these questions.\n")
    from bot.discovery import look_around  # noqa: PLC0415 -- httpx and more, only where there is somebody to ask

    world = World(ask, check_key, _check_token, partial(_sign_in, options), partial(_local_model, options))
    try:
        if not await Wizard(draft, world, await look_around(options.env), options.env).run():
            print("Nothing was written.")
            return 0
    except (KeyboardInterrupt, EOFError, asyncio.CancelledError):
        print("\nNothing was written.")
        return INTERRUPTED
    draft.write(options.env)
    print(f"Written to {draft.file}.\n")
    print("\n".join(next_steps(draft, running=_running(options))))
    return 0


async def by_flags(options: Options, flags: Flags) -> tuple[Report, int]:
    """Do what the flags say; writes only with `yes`. Raises BotError, with the file as it was."""
    draft = Draft(options.config_file)
    report = Report(draft.file)
    refused = False
    for subject, verdict in await _flagged(draft, flags, options):
        report.checks.append((subject, verdict))
        refused = refused or not verdict.usable
    report.changes, report.lines = draft.told(), draft.shown()
    if flags.yes and not refused and draft.changes:
        draft.write(options.env)
        report.written = True
    return report, 0 if report.written or (not report.changes and not refused) else 1


def render(report: Report) -> str:
    lines = [f"{subject}: {verdict.state}: {verdict.text}" for subject, verdict in report.checks]
    if report.lines:
        lines += ["", *(f"  {line}" for line in report.lines), ""]
    refused = any(not verdict.usable for _, verdict in report.checks)
    if not report.changes:
        end = f"Nothing to change in {report.file}."
    elif report.written:
        end = f"Written to {report.file}."
    else:
        end = f"Nothing was written to {report.file}" + ("." if refused else "; add --yes once it is right.")
    return "\n".join([*lines, end])


def next_steps(draft: Draft, *, running: bool) -> list[str]:
    """What somebody who has just answered everything does then."""
    rows = [("nanobot doctor", "looks whether all of it works, and says what to do where it doesn't")]
    if running:
        rows.append(
            ("nanobot reload", "nanobot runs already; it takes this up, and says what waits for a restart")
        )
    else:
        rows.append(("nanobot", "talk here"))
    if draft.get(("channels", "telegram", "token")):
        rows.append(("nanobot run", "the daemon, which is there for Telegram; then write to your bot"))
        if not _knows_an_owner(draft):
            rows.append(("nanobot pair approve CODE", "lets you in, with the code that it answers"))
    width = max(len(command) for command, _ in rows) + 2
    return ["Next:", *(f"  {command:{width}}{text}" for command, text in rows)]


# By flags


async def _flagged(draft: Draft, flags: Flags, options: Options) -> list[tuple[str, Verdict]]:
    checks = []
    if flags.provider:
        checks.append((flags.provider, await _flagged_provider(draft, flags, options)))
    elif flags.key_env or flags.key_file or flags.api_base or flags.anonymous:
        raise Usage("whose key or address is it? Add --provider NAME")
    if flags.gguf:
        if problem := gguf.problem(flags.gguf):
            raise BotError(problem)
        for place, value in gguf_values(flags.gguf).items():
            draft.put(place, value, "A model that nanobot runs on this machine, with llama.cpp.")
    if flags.telegram_token_env:
        token = _from_env(flags.telegram_token_env, options)
        base = draft.get(("channels", "telegram", "base_url"))
        checks.append(("telegram", await _check_token(token, base if isinstance(base, str) else "")))
        draft.put(("channels", "telegram", "token"), f"env:{flags.telegram_token_env}")
    for key, amount in (("usd_per_day", flags.limit_day), ("usd_per_month", flags.limit_month)):
        if amount is not None:
            draft.put(("limits", key), amount)
    return checks


async def _flagged_provider(draft: Draft, flags: Flags, options: Options) -> Verdict:
    name, at = flags.provider, ("providers", flags.provider)
    had = draft.get((*at, "api_base"))
    base = flags.api_base or (had if isinstance(had, str) else "")
    if not base and name not in PRESETS:
        raise Usage(f"{name} is none of the known names ({', '.join(PRESETS)}); add --api-base http://...")
    known = PRESETS.get(name)
    if flags.anonymous and known is not None and not known.anonymous and not flags.api_base:
        raise Usage(f"{name} serves nobody without a key: leave --anonymous out")
    written, key = _flagged_key(flags, options)
    if flags.api_base:
        draft.put((*at, "api_base"), flags.api_base)
    if flags.anonymous:
        draft.put((*at, "anonymous"), True, privacy_line(name))
    elif written:
        several = draft.get((*at, "api_keys"))
        draft.put((*at, "api_keys"), [written, *several[1:]]) if several else draft.put(
            (*at, "api_key"), written
        )
    elif not base and PRESETS[name].anonymous:
        raise Usage(f"{privacy_line(name)}; if that is all right, add --anonymous")
    elif not flags.api_base and name in PRESETS and PRESETS[name].needs_key:
        raise Usage(f"{name} needs a key: add --key-env VARIABLE or --key-file FILE")
    else:
        draft.put(at, {})
    settings = complete(name, ProviderSettings(api_base=base or None, anonymous=flags.anonymous), {})
    if settings.api_base is None:
        return Verdict("ok", "runs on this machine")
    return await check_key(name, settings, key)


def _flagged_key(flags: Flags, options: Options) -> tuple[str, str]:
    """How the key is written in the file, and the key."""
    if flags.key_env and flags.key_file:
        raise Usage("--key-env and --key-file are two ways to the same key; choose one")
    if flags.key_env:
        return f"env:{flags.key_env}", _from_env(flags.key_env, options)
    if flags.key_file:
        file = Path(os.path.abspath(flags.key_file))  # noqa: PTH100 -- without following links
        try:
            return f"file:{file}", file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BotError(f"{file}: can't be read: {error}") from error
    return "", ""


def _from_env(name: str, options: Options) -> str:
    value = options.env.get(name, "").strip()
    if not value:
        raise BotError(f"the environment variable {name} is not set")
    return value


# The world


def _complain_about(file: Path, options: Options) -> None:
    """Mistakes of a file that is there are for its owner to see first; they don't keep it from being changed."""
    try:
        load_config(file if file.exists() else None, options.env)
    except ConfigError as error:
        print("The configuration has mistakes, which stay until you mend them:")
        print("\n".join(error.problems) + "\n")


def _running(options: Options) -> bool:
    from bot.cli.client import search  # noqa: PLC0415 -- httpx

    return search(options.sockets).found is not None


def _knows_an_owner(draft: Draft) -> bool:
    people = draft.get(("people",))
    return isinstance(people, dict) and any("telegram" in p for p in people.values() if isinstance(p, dict))


async def _check_token(token: str, base_url: str) -> Verdict:
    return await check_token(token, f"{base_url.removesuffix('/bot')}/bot" if base_url else TELEGRAM)


async def _sign_in(options: Options, base: str) -> str:
    """OpenRouter's key, or "" once it was said why there is none."""
    from bot.cli.login import Person, has_screen, signed_in  # noqa: PLC0415 -- only where it is wanted

    person = Person(webbrowser.open, ask, print)
    try:
        key, told = await signed_in(base, person, browser=has_screen(options.env))
    except BotError as error:
        print(f"  {error}")
        return ""
    print("\n".join(f"  {line}" for line in told))
    return key.get_secret_value()


async def _local_model(options: Options, asking: Ask) -> Path | None:
    from bot import local, local_models  # noqa: PLC0415 -- only where it is wanted
    from bot.cli import local_files  # noqa: PLC0415 -- as above
    from bot.cli.fetching import local_model  # noqa: PLC0415 -- as above

    async def fetch(model: local_models.LocalModel) -> Path:
        with local_files.progress(model.title) as shown:
            return await local_models.fetch(model, paths.models_folder(options.data_folder), shown)

    file = await local_model(asking, available_memory(), fetch)
    if file is not None and llama.missing():
        try:
            await local.install(print)
        except BotError as error:
            print(f"  {error}")
    return file

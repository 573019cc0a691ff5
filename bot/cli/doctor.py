"""`nanobot doctor`: looks at everything, beside a bot that runs or without one, and says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from bot.cli.client import Client, search
from bot.cli.options import Options
from bot.cli.output import harmless
from bot.config import Config, Loaded
from bot.discovery import Discovery
from bot.errors import ConfigError, NotRunning
from bot.ops import doctor_providers, doctor_voice
from bot.ops.doctor import GENERAL, LEVELS, Examination, Finding, Level, Patient, examine, worst
from bot.ops.doctor_channels import channel_checks
from bot.ops.doctor_service import SERVICE
from providers.registry import Catalog

_COLOURS: dict[Level, str] = {"ok": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_PLAIN = "\x1b[0m"


async def diagnose(options: Options, *, calls: bool) -> Examination:
    """All checks there are. `calls`: models that cost money are called too."""
    status = await _status(options)
    try:
        loaded = options.load()
    except ConfigError as error:
        fix = "correct it; nanobot doesn't start before"
        wrong = [Finding("error", "config", problem, fix) for problem in error.problems]
        patient = Patient(Loaded(Config(), None), options.data_folder, options.env, Catalog(), calls, status)
        return Examination([*wrong, *await examine(patient, (*GENERAL[1:], SERVICE))])
    catalog = await Discovery(loaded.config, options.env).catalog()
    patient = Patient(loaded, options.data_folder, options.env, catalog, calls, status)
    running = _running(status)
    channels = [*channel_checks(loaded.config), doctor_voice.CHECK]
    checks = [*GENERAL, SERVICE, *channels, *doctor_providers.checks(catalog)]
    return Examination([running, *await examine(patient, checks)])


def exit_code(findings: Sequence[Finding]) -> int:
    """0, or 1 for warnings, 2 for errors."""
    return LEVELS.index(worst(findings))


def render(findings: Sequence[Finding], stream: TextIO) -> str:
    """Aligned lines, what to do below each; coloured on a terminal, unless $NO_COLOR asks for none."""
    coloured = stream.isatty() and not os.environ.get("NO_COLOR")
    return "\n".join(_lines(findings, coloured=coloured))


def _lines(findings: Sequence[Finding], *, coloured: bool) -> Iterator[str]:
    width = max((len(finding.subject) for finding in findings), default=0)
    for finding in findings:
        level = f"{finding.level:8}"
        shown = f"{_COLOURS[finding.level]}{level}{_PLAIN}" if coloured else level
        yield f"{shown} {finding.subject:{width}}  {harmless(finding.text)}"
        if finding.fix:
            yield f"{'':8} {'':{width}}  -> {harmless(finding.fix)}"
    count = {level: sum(finding.level == level for finding in findings) for level in LEVELS}
    yield ""
    if count["error"] or count["warning"]:
        yield f"{_many(count['error'], 'error')}, {_many(count['warning'], 'warning')}."
    else:
        yield "All is well."


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


async def _status(options: Options) -> dict[str, Any] | None:
    running = search(options.sockets).found
    if running is None:
        return None
    try:
        async with Client(running) as client:
            return await client.status()
    except NotRunning:
        return None


def _running(status: dict[str, Any] | None) -> Finding:
    if status is None:
        return Finding("ok", "daemon", "not running; what follows is looked at without it")
    return Finding("ok", "daemon", f"{status.get('version')} runs (pid {status.get('pid')})")

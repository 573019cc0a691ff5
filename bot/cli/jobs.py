"""`nanobot jobs`: what is done by the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.cli.options import Options
from bot.cli.output import harmless
from bot.cli.reach import reaching

_INDENT = "  "


async def gather(options: Options) -> list[dict[str, Any]]:
    """Every job of the bot that runs, else of one opened here. Raises BotError."""
    async with reaching(options) as client:
        return await client.jobs()


async def reminders(options: Options) -> list[dict[str, Any]]:
    """Everybody's reminders that are still to come, from the same place. Raises BotError."""
    async with reaching(options) as client:
        return await client.reminders()


async def decide(options: Options, number: int, action: str) -> dict[str, Any]:
    """Confirm or discard an imported one that waits for it; returns it. Raises BotError."""
    async with reaching(options) as client:
        return await client.decide(number, action)


async def act(options: Options, name: str, action: str) -> dict[str, Any]:
    """Run, pause or resume one; returns it. Raises BotError."""
    async with reaching(options) as client:
        return await client.job(name, action)


def render(jobs: Sequence[Mapping[str, Any]], now: float) -> str:
    """For a person: a paragraph for each."""
    if not jobs:
        return "There are no jobs."
    return harmless("\n\n".join("\n".join(_lines(job, now)) for job in jobs))


def listed(found: Sequence[Mapping[str, Any]], now: float) -> str:
    """Reminders for a person: a line for each."""
    if not found:
        return "No reminder is set."
    return "\n".join(harmless(_reminder(one, now)) for one in found)


def said(job: Mapping[str, Any], action: str, now: float) -> str:
    """What came of running, pausing or resuming one."""
    name = job["name"]
    match action:
        case "run" if job["state"] == "running":
            text = f"{name} is still running; `nanobot jobs list` tells what comes of it."
        case "run" if job["failed"]:
            text = f"{name} failed: {job['outcome']}"
        case "run":
            text = f"{name}: {job['outcome'] or 'nothing to do'}"
        case "pause":
            text = f"{name} rests until `nanobot jobs resume {name}`."
        case _:
            text = (
                f"{name} runs again, next at {_clock(job['next'], now)}."
                if job["next"]
                else f"{name} runs again."
            )
    return harmless(text)


def _lines(job: Mapping[str, Any], now: float) -> Iterator[str]:
    trigger = f", {job['trigger']}" if job["trigger"] else ""
    yield f"{job['name']}: {job['state']}{trigger}"
    if job["help"]:
        yield _INDENT + job["help"]
    if job["last_run"]:
        yield f"{_INDENT}last run {_clock(job['last_run'], now)}: {job['outcome'] or 'nothing to do'}"
    if job["next"]:
        yield f"{_INDENT}next at {_clock(job['next'], now)}"


def decided(one: Mapping[str, Any], now: float) -> str:
    """What came of confirming or discarding one."""
    if one["next"] is None:
        return f"{one['number']} is dropped."
    return harmless(_reminder(one, now))


def _reminder(one: Mapping[str, Any], now: float) -> str:
    repeat, task = f", {one['repeat']}" if one["repeat"] else "", " (a task)" if one["task"] else ""
    text = " ".join(one["text"].split())
    waits = "waits for `nanobot jobs confirm " + str(one["number"]) + "`"
    when = waits if one["next"] is None else _clock(one["next"], now)
    return f"{one['number']}: {one['person']}, {when}{repeat}: {text}{task}"


def _clock(at: float, now: float) -> str:
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M:%S" if then[:3] == today[:3] else "%d %b %H:%M", then)

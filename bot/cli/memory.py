"""`nanobot memory`: what is known of a person, and how to bring back what was known before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.cli.options import Options
from bot.cli.output import harmless
from bot.cli.reach import reaching
from bot.memory.facts import HOUSEHOLD


def whose(person: str, *, household: bool) -> str:
    return HOUSEHOLD if household else person


async def known(options: Options, person: str) -> dict[str, Any]:
    """Raises BotError, as all of these."""
    async with reaching(options) as client:
        return await client.memory(person)


async def history(options: Options, person: str) -> list[dict[str, Any]]:
    async with reaching(options) as client:
        return await client.memory_versions(person)


async def restore(options: Options, person: str, version: int) -> dict[str, Any]:
    async with reaching(options) as client:
        return await client.change_memory(person, action="restore", version=version)


async def forget(options: Options, person: str, words: str) -> dict[str, Any]:
    async with reaching(options) as client:
        return await client.change_memory(person, action="forget", words=words)


def render(report: Mapping[str, Any]) -> str:
    """For a person: the facts with their sources, and the file."""
    return harmless("\n".join(_lines(report)))


def render_history(versions: Sequence[Mapping[str, Any]]) -> str:
    if not versions:
        return "Nothing was noted yet."
    lines = [
        f"{one['number']:>5}  {time.strftime('%Y-%m-%d %H:%M', time.localtime(one['at']))}  "
        f"{one['facts']:>5}  {one['why']}"
        for one in versions
    ]
    head = f"{'N':>5}  {'made':<16}  {'facts':>5}  why"
    return harmless("\n".join([head, *lines, "", "`nanobot memory restore N` brings one back."]))


def forgotten(report: Mapping[str, Any]) -> str:
    if not report["forgotten"]:
        return f"No fact about {report['person']} holds all of these words."
    return harmless("\n".join(["Forgotten:", *(f"- {text}" for text in report["forgotten"])]))


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"What is known of {report['person']}:"
    yield from _facts(report["facts"])
    if report.get("household"):
        yield "\nWhat everybody here may know:"
        yield from _facts(report["household"])
    yield f"\nTo be edited in {report['file']}"


def _facts(facts: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for fact in facts:
        source = f"  ({fact['source']})" if fact["source"] else ""
        yield f"- {fact['text']}{source}"
    if not facts:
        yield "nothing yet"

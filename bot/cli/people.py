"""`nanobot people`: who may write, on which channels, and since when."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.cli.options import Options
from bot.cli.output import harmless
from bot.cli.reach import reaching


async def gather(options: Options) -> list[dict[str, Any]]:
    """Everybody, from the bot that runs, else from one opened here. Raises BotError."""
    async with reaching(options) as client:
        return await client.people()


async def unlink(options: Options, channel: str, sender: str) -> dict[str, Any]:
    """Let a channel know somebody no longer by this id. Raises BotError."""
    async with reaching(options) as client:
        return await client.unlink(channel, sender)


def render(people: Sequence[Mapping[str, Any]]) -> str:
    """For a person: a paragraph for each."""
    return harmless("\n\n".join("\n".join(_lines(one)) for one in people))


def unlinked(done: Mapping[str, Any], channel: str, sender: str) -> str:
    left = done["left"]
    ways = (
        f"{left} other {'way' if left == 1 else 'ways'} left"
        if left
        else "no way left but this machine's terminal"
    )
    return harmless(f"{sender} on {channel} is a stranger from now on; {done['person']} has {ways}.")


def _lines(person: Mapping[str, Any]) -> Iterator[str]:
    yield f"{person['name']} ({person['role']}), {_seen(person['last_seen'])}"
    for one in person["identities"]:
        origin = "from the configuration" if one["since"] is None else f"by a code, {_day(one['since'])}"
        yield f"  {one['channel']} {one['sender']}  ({origin})"
    if not person["identities"]:
        yield "  at this machine's terminal only" if person["role"] == "owner" else "  no way to write"
    for name in ("language", "timezone", "prefers"):
        if person[name]:
            yield f"  {name}: {person[name]}"


def _seen(at: float | None) -> str:
    return "never seen" if at is None else f"last seen {time.strftime('%Y-%m-%d %H:%M', time.localtime(at))}"


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at))

"""`nanobot status`: one screen about the bot that runs, or about what a stopped one left."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

from bot import usage_table
from bot.cli.client import Client, search
from bot.cli.options import Options
from bot.cli.output import harmless

Row = tuple[str, str]

_WATCH_SECONDS = 2.0
_STATES = ("queued", "sending", "relayed", "refused")


async def gather(options: Options) -> tuple[dict[str, Any], bool]:
    """What `nanobot status --json` prints, and whether all is well. Raises BotError."""
    found = search(options.sockets)
    if found.found is None:
        return stopped(options.data_folder, found.denied), False
    async with Client(found.found) as client:
        report = {"running": True, **await client.status()}
    return report, not list(complaints(report))


async def watch(options: Options, stream: TextIO) -> None:
    """Show it again and again, until Ctrl-C."""
    while True:
        report, _ = await gather(options)
        # Clears the screen and what was scrolled out of it.
        mark = "\x1b[2J\x1b[3J\x1b[H" if stream.isatty() else ""
        stream.write(f"{mark}{render(report, time.time())}\n")
        stream.flush()
        await asyncio.sleep(_WATCH_SECONDS)


def stopped(data: Path, denied: Path | None = None) -> dict[str, Any]:
    """What can be said where no bot answers; the database is only read, and not locked."""
    report: dict[str, Any] = {
        "running": False,
        "data": str(data),
        "messages_waiting": 0,
        "outbox": {},
        "warnings": [],
    }
    if denied is not None:
        report["warnings"].append(
            f"a nanobot listens on {denied}, which you may not open; are you in its group?"
        )
    file = data / "nanobot.db"
    if not file.exists():
        return report
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=2.0)) as db:
            waiting = db.execute("SELECT count(*) FROM inbox WHERE state = 'queued'").fetchone()
            undelivered = db.execute(
                "SELECT state, count(*) FROM outbox WHERE state != 'sent' GROUP BY state"
            )
            report |= {"messages_waiting": waiting[0], "outbox": dict(undelivered.fetchall())}
    except sqlite3.Error as error:
        report |= {"messages_waiting": None, "outbox": None}
        report["warnings"].append(f"{file}: can't be read: {error}")
    return report


def complaints(report: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a bot that runs, one line each."""
    for kind, channel in report.get("channels", {}).items():
        if not channel.get("up"):
            yield f"{kind} is down: {channel.get('detail') or 'no reason known'}"
    answering = report.get("models", {}).get("reasoning", ())
    if not answering:
        yield "no model to answer with; write anything in `nanobot chat`, and it says how to get one"
    elif set(answering) <= set(report.get("resting", ())):
        yield "no model can answer right now: all of them rest; `nanobot doctor` asks each"
    for rest in (rest for provider in report.get("providers", ()) for rest in provider.get("rests", ())):
        if rest.get("needs_owner"):
            yield f"{rest.get('name') or rest['scope']} {rest['reason']}; only you can mend that"


def render(report: Mapping[str, Any], now: float) -> str:
    """The report for a person."""
    rows = list(_running(report, now) if report["running"] else _stopped(report))
    width = max(len(name) for name, _ in rows) + 2
    lines = [f"{name:{width}}{value}".rstrip() for name, value in rows]
    wrong = list(complaints(report)) if report["running"] else []
    notes = [f"! {line}" for line in (*wrong, *report.get("warnings", ()))]
    return harmless("\n".join([*lines, *notes]))


def _running(report: Mapping[str, Any], now: float) -> Iterator[Row]:
    began = report["started_at"]
    up = f"running since {_clock(began, now)} ({duration(now - began)}, pid {report['pid']})"
    yield "nanobot", f"{report['version']}, {up}"
    yield "configuration", report.get("config") or "none"
    yield "data", report["data"]
    yield "socket", report["socket"]
    models = report.get("models", {})
    for role, routes in models.items():
        if role == "reasoning" or routes != models.get("reasoning"):
            yield role, _chain(routes)
    yield "why these", report.get("choice") or "unknown"
    for provider in report.get("providers", ()):
        yield from _provider(provider, now)
    for kind, channel in report.get("channels", {}).items():
        yield kind, _channel(channel, now)
        for note in channel.get("notes", ()):
            yield "", note
    if report.get("strangers"):
        told = ", ".join(f"{count} on {kind}" for kind, count in sorted(report["strangers"].items()))
        yield "strangers", f"messages refused: {told}"
    yield from _jobs(report, now)
    if report.get("budget"):
        yield "money", usage_table.brief(report["budget"])
    if disk := report.get("disk"):
        yield "disk", f"{size(disk['free_bytes'])} free, the database has {size(disk['database_bytes'])}"
    if chats := report.get("sessions"):
        yield "sessions", f"{chats['all']}, of which {chats['last_day']} used within a day"
    yield from _work(report)


def _jobs(report: Mapping[str, Any], now: float) -> Iterator[Row]:
    """How many there are and which is next; those that failed, each with its reason."""
    jobs = report.get("jobs", ())
    coming = [(job["next"], job["name"]) for job in jobs if job.get("next")]
    if not jobs:
        return
    at, name = min(coming, default=(0.0, ""))
    off = [job["name"] for job in jobs if job.get("state") in ("off", "paused")]
    rest = f"; resting: {', '.join(off)}" if off else ""
    yield (
        "jobs",
        (f"{len(coming)} scheduled, next {name} at {_clock(at, now)}{rest}" if coming else f"none{rest}"),
    )
    for job in jobs:
        if job.get("failed"):
            yield "", f"{job['name']} failed at {_clock(job['ended_at'], now)}: {job['outcome']}"


def _provider(provider: Mapping[str, Any], now: float) -> Iterator[Row]:
    states = {"ok": "ok", "resting": "resting", "unasked": "not asked yet"}
    where = provider.get("address") or "this machine"
    keys = f", {provider['keys']} keys" if provider.get("keys", 0) > 1 else ""
    serves = ", ".join(provider.get("roles", ())) or "nothing"
    state = states.get(provider.get("state", ""), "unknown")
    yield provider["name"], f"{state}; for {serves}; {provider.get('kind')} at {where}{keys}"
    for rest in provider.get("rests", ()):
        until = f" until {_clock(rest['until'], now)}" if rest.get("until") else ""
        yield "", f"resting{until}: {rest.get('name') or rest['scope']} {rest['reason']}"


def _stopped(report: Mapping[str, Any]) -> Iterator[Row]:
    yield "nanobot", "not running; `nanobot run` starts it, `nanobot chat` talks without it"
    yield "data", report["data"]
    yield from _work(report)


def _work(report: Mapping[str, Any]) -> Iterator[Row]:
    if report.get("messages_waiting", 0) is None:
        return  # nobody knows
    answering = f", {report['turns_running']} being answered" if report.get("turns_running") else ""
    yield "messages", f"{report.get('messages_waiting', 0)} taken and not answered yet{answering}"
    outbox = report.get("outbox", {})
    told = ", ".join(f"{outbox[state]} {state}" for state in _STATES if outbox.get(state))
    yield "replies", told or "all delivered"


def _channel(channel: Mapping[str, Any], now: float) -> str:
    parts = ["up" if channel.get("up") else "DOWN"]
    if channel.get("detail"):
        parts.append(channel["detail"])
    for name in ("received", "sent"):
        at = channel.get(f"last_{name}_at")
        if at:
            parts.append(f"last {name} {_clock(at, now)}")
    return ", ".join(parts)


def _chain(routes: list[str]) -> str:
    shown = ", then ".join(routes[:3]) or "no model"
    return f"{shown}, and {len(routes) - 3} more" if len(routes) > 3 else shown


def size(count: float) -> str:
    """Of so many bytes: "12.3 GB", "4.0 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """A time span in its one or two largest units: "3 d 4 h", "12 min", "5 s"."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{whole} s"


def _clock(at: float, now: float) -> str:
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%d %b %H:%M", then)

"""`nanobot audit` and /why: whether the log is whole, what was done, and what stood behind an answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from bot.safety.audit import ANCHORS, Anchors, Check, Linked
from bot.storage import audit
from bot.storage.database import Database

USUAL = 20
"""Entries that are shown where nobody says how many."""
_AT_ONCE = 1000
_LONGEST = 200
_MOST_FAULTS = 100
_MOST_LINES = 20


async def examined(database: Database) -> dict[str, Any]:
    """{"entries", "faults"}: the object of `nanobot audit verify`. Raises OSError."""
    faults = await verify(database, Anchors(database.path.with_name(ANCHORS)))
    return {"entries": await database.read(audit.count), "faults": faults}


async def verify(database: Database, anchors: Anchors) -> list[str]:
    """The first faults of the chain, in its order; reads it piece by piece. Raises OSError."""
    # The anchors first: what is appended meanwhile has none that we know of.
    check = Check(await asyncio.to_thread(anchors.read))
    found: list[str] = []
    while part := await database.read(partial(audit.chain, after=check.last, most=_AT_ONCE)):
        found += check.look(part)
        if len(found) >= _MOST_FAULTS:
            return found[:_MOST_FAULTS]
    return [*found, *check.end()]


async def shown(database: Database, session: str, most: int) -> list[dict[str, Any]]:
    """The last entries of a session, "" for all of them, as objects."""
    return [
        as_object(one) for one in await database.read(partial(audit.of_session, session=session, most=most))
    ]


async def why(database: Database, session: str, person: str) -> str:
    """The text of /why: which models and tools stood behind the last answer that a person got in a session."""
    turn = await database.read(partial(audit.last_turn, session=session, person=person))
    if turn is None:
        return "I have not answered anything here yet."
    numbers = await database.read(partial(audit.with_workers, turn=turn.id or 0))
    entries = await database.read(partial(audit.of_turns, turns=numbers))
    return "\n".join(_reasons(turn.route, turn.path, entries))


def _reasons(route: str, path: Sequence[dict[str, Any]], entries: Sequence[Linked]) -> Iterator[str]:
    yield f"The last answer is by {route}." if route else "The last answer is my own, without a model."
    failed = [attempt for attempt in path if attempt.get("error")]
    if failed:
        yield f"Before it, {len(failed)} tries failed or were passed over; /status says what rests."
    if not entries:
        yield "No tool was used for it: it is what the model knows, or was told in this conversation."
    if len(entries) > _MOST_LINES:
        yield f"{len(entries) - _MOST_LINES} calls of tools, and then:"
    for one in entries[-_MOST_LINES:]:
        outcome = "" if one.entry.ok else " (failed)"
        by = "" if one.entry.model == route else f", by {one.entry.model}"
        yield f"- {one.entry.tool}{_given(one)}{outcome}{by}"
    if any(one.entry.trust == "untrusted" for one in entries):
        yield "Some of it rests on text from outside, which may be wrong."


def _given(one: Linked) -> str:
    if one.payload is None:
        return " (erased)"
    text = ", ".join(f"{key}: {value}" for key, value in json.loads(one.payload[0]).items())
    return f" {text[:_LONGEST]}" if text else ""


def as_object(one: Linked) -> dict[str, Any]:
    """An entry for `--json`."""
    entry = one.entry
    beside = {"arguments": json.loads(one.payload[0]), "result": one.payload[1]} if one.payload else {}
    return {
        "id": one.id,
        "at": entry.at,
        "session": entry.session,
        "turn": entry.turn,
        "person": entry.person,
        "model": entry.model,
        "tool": entry.tool,
        "trust": entry.trust,
        "verdict": entry.verdict,
        "ok": entry.ok,
        "seconds": entry.seconds,
        **beside,
    }


def line(entry: Mapping[str, Any]) -> str:
    """An entry for a person."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry["at"]))
    given = (
        json.dumps(entry["arguments"], ensure_ascii=False)[:_LONGEST] if "arguments" in entry else "(erased)"
    )
    outcome = "ok" if entry["ok"] else "failed"
    asked = "" if entry["verdict"] == "allow" else f" [{entry['verdict']}]"
    outside = "" if entry["trust"] == "own" else "  (after text from outside)"
    return f"{entry['id']:>6}  {at}  {entry['tool']} {given}  {outcome}{asked}  {entry['model']}{outside}"

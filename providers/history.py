"""A conversation as every protocol accepts it: each tool call directly followed by its result. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from providers.types import Message, ToolCall

LOST_RESULT = "No result: it was lost. Check before you do it again."

_ODD = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_ID = 64


@dataclass(slots=True)
class _Slot:
    """One call's place, with the result that came for it."""

    call: ToolCall
    result: str = LOST_RESULT


@dataclass(slots=True)
class _Entry:
    message: Message
    slots: list[_Slot] = field(default_factory=list)


def repaired(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The conversation with every call answered right after its message, in the order of the calls.

    Results without their call are left out, calls without a result get one that says so. Ids that occur twice, or
    that not every server takes, are replaced; the same conversation always gets the same ids.
    """
    taken: set[str] = set()
    return tuple(message for entry in _entries(messages) for message in _written(entry, taken))


def _entries(messages: Iterable[Message]) -> list[_Entry]:
    entries: list[_Entry] = []
    unanswered: dict[str, deque[_Slot]] = {}
    for message in messages:
        if message.role == "tool":
            slots = unanswered.get(message.tool_call_id)
            if slots:
                slots.popleft().result = message.content
            continue
        entry = _Entry(message, [_Slot(call) for call in message.tool_calls])
        entries.append(entry)
        unanswered.update({slot.call.id: deque() for slot in entry.slots})
        for slot in entry.slots:
            unanswered[slot.call.id].append(slot)
    return entries


def _written(entry: _Entry, taken: set[str]) -> Iterator[Message]:
    if not entry.slots:
        yield entry.message
        return
    calls = tuple(replace(slot.call, id=_fresh(slot.call.id, taken)) for slot in entry.slots)
    yield replace(entry.message, tool_calls=calls)
    for slot, call in zip(entry.slots, calls, strict=True):
        yield Message("tool", slot.result, tool_call_id=call.id)


def _fresh(id_: str, taken: set[str]) -> str:
    base = _ODD.sub("_", id_)[:_LONGEST_ID] or "call"
    fresh, number = base, 1
    while fresh in taken:
        number += 1
        ending = f"_{number}"
        fresh = base[: _LONGEST_ID - len(ending)] + ending
    taken.add(fresh)
    return fresh

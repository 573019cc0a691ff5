"""A conversation as every server accepts it: each tool call directly followed by its result, turn after turn. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from providers.types import Message, ToolCall

LOST_RESULT = "No result: it was lost. Check before you do it again."
GO_ON = "(go on)"
"""Stands where a server wants a turn of the user and there is none."""
_DONE = "(done)"

_ODD = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_ID = 64
_SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")


@dataclass(slots=True)
class _Slot:
    """One call's place, with the result that came for it."""

    call: ToolCall
    result: str = LOST_RESULT


@dataclass(slots=True)
class _Entry:
    message: Message
    slots: list[_Slot] = field(default_factory=list)


def repaired(messages: Iterable[Message], *, short_ids: bool = False) -> tuple[Message, ...]:
    """The conversation with every call answered right after its message, in the order of the calls.

    Results without their call are left out, calls without a result get one that says so. Ids that occur twice, or
    that not every server takes, are replaced; the same conversation always gets the same ids. `short_ids`: nine
    letters and digits, which is all that Mistral's models take.
    """
    taken: set[str] = set()
    fresh = _short if short_ids else _fresh
    written: list[Message] = []
    for entry in _entries(messages):
        if isinstance(entry, Message):
            written.append(entry)
        else:
            written += _written(entry, taken, fresh)
    return tuple(written)


def alternating(messages: Iterable[Message], *, answered: bool = False) -> tuple[Message, ...]:
    """A repaired conversation in turns, as many models' templates want it: one system message at its head, then user
    and assistant by turns, from a user's to a user's or a tool's.

    Neighbours of one role become one, and what says nothing is left out. `answered`: the assistant has a word after
    its tools' results before the user does.
    """
    system: list[str] = []
    turns: list[Message] = []
    for message in messages:
        if message.role == "system":
            system += [message.content] if message.content.strip() else []
        elif message.role == "tool" or message.content.strip() or message.tool_calls or message.images:
            _append(turns, message, answered=answered)
    if not turns or turns[0].role != "user":
        turns.insert(0, Message("user", GO_ON))
    if turns[-1].role == "assistant":
        turns.append(Message("user", GO_ON))
    return (*([Message("system", "\n\n".join(system))] if system else []), *turns)


def _append(turns: list[Message], message: Message, *, answered: bool) -> None:
    last = turns[-1] if turns else None
    if last is None or last.role != message.role or message.role == "tool":
        if answered and last is not None and last.role == "tool" and message.role == "user":
            turns.append(Message("assistant", _DONE))
        turns.append(message)
        return
    # Only the later of two neighbours can have calls: their results stand between it and the next one.
    turns[-1] = replace(
        message,
        content="\n\n".join(text for text in (last.content, message.content) if text.strip()),
        images=last.images + message.images,
        thoughts=message.thoughts or last.thoughts,
    )


def _entries(messages: Iterable[Message]) -> list[Message | _Entry]:
    entries: list[Message | _Entry] = []
    unanswered: dict[str, deque[_Slot]] = {}
    for message in messages:
        if message.role == "tool":
            slots = unanswered.get(message.tool_call_id)
            if slots:
                slots.popleft().result = message.content
        elif not message.tool_calls:
            entries.append(message)
        else:
            entry = _Entry(message, [_Slot(call) for call in message.tool_calls])
            entries.append(entry)
            unanswered.update({slot.call.id: deque() for slot in entry.slots})
            for slot in entry.slots:
                unanswered[slot.call.id].append(slot)
    return entries


def _written(entry: _Entry, taken: set[str], fresh: Callable[[str, set[str]], str]) -> Iterator[Message]:
    calls = tuple(replace(slot.call, id=fresh(slot.call.id, taken)) for slot in entry.slots)
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


def _short(id_: str, taken: set[str]) -> str:
    fresh, number = id_, 1
    while fresh in taken or not _SHORT_ID.fullmatch(fresh):
        fresh = hashlib.sha256(f"{id_} {number}".encode("utf-8", "replace")).hexdigest()[:9]
        number += 1
    taken.add(fresh)
    return fresh

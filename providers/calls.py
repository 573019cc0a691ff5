"""What every protocol's answer ends in: tool calls that are whole, a reason for the end, counted tokens. Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from providers.types import Finish, ToolCall

LONGEST_ANSWER = 32 * 1024 * 1024
"""The most characters of text, thoughts and arguments in one answer; more is no model's answer."""


def arguments_of(text: str, *, cut: bool) -> Mapping[str, Any] | None:
    """The arguments as an object; None where they are none or were cut off. No text at all means no
    arguments.
    """
    if not text.strip():
        return None if cut else {}
    try:
        value = json.loads(text)
        if isinstance(value, str):
            value = json.loads(value)  # encoded twice
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def unique(calls: Iterable[ToolCall]) -> Iterator[ToolCall]:
    """The calls with an id each of its own, since results are matched by it; the very same call is made once.

    Small models repeat a call within one answer, whatever `parallel_tool_calls` says.
    """
    seen: set[str] = set()
    made: list[tuple[str, Mapping[str, Any]]] = []
    for call in calls:
        if (call.name, call.arguments) in made:
            continue
        made.append((call.name, call.arguments))
        id_ = call.id if call.id and call.id not in seen else f"call_{uuid.uuid4().hex[:20]}"
        seen.add(id_)
        yield ToolCall(id_, call.name, call.arguments)


def settled(finish: Finish, calls: Sequence[ToolCall]) -> Finish:
    """The reason for the end, as far as the calls don't belie it: some servers say `stop` beside them."""
    if calls and finish != "length":
        return "tool_calls"
    return "stop" if finish == "tool_calls" else finish


def counted(value: object) -> int:
    """A number of tokens; 0 for whatever is none."""
    return int(value) if isinstance(value, int | float) and 0 < value < 1e15 else 0

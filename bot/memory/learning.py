"""What tools taught: which failures are worth knowing next time, and what of them is no single case. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.safety.rules import Act, Trust

_TEACHES = frozenset({Act.LOOK, Act.SEARCH, Act.CREATE, Act.CHANGE, Act.RUN, Act.RUN_OPEN, Act.RUN_BARE})
"""What fails for reasons of this machine. A page's or another worker's failure tells of them alone, in their words,
and what concerns a person's memory, reminders and chats is nobody else's to read."""
_LONGEST = 200
"""Characters."""
_SHORTEST_VALUE = 2
_WHATEVER = "…"


def lesson(act: Act, trust: Trust, arguments: Mapping[str, Any], failure: str) -> str:
    """What to keep of a failed call, "" for nothing. `trust` is the worst label of what led to the call.

    What the call was given is left out of it: what fails with any file is worth knowing, and a lesson reaches
    everybody's prompt.
    """
    if act not in _TEACHES or trust is not Trust.OWN or not failure.strip():
        return ""
    text = failure.strip().splitlines()[0]
    # Longest first, so that a value that contains another is replaced whole.
    for value in sorted(set(_values(arguments)), key=len, reverse=True):
        text = text.replace(repr(value), _WHATEVER).replace(value, _WHATEVER)
    return text[:_LONGEST] if text.strip(f" {_WHATEVER}.:") else ""


def _values(given: Any) -> Iterator[str]:
    if isinstance(given, str) and len(given) >= _SHORTEST_VALUE:
        yield given
    elif isinstance(given, Mapping):
        for value in given.values():
            yield from _values(value)
    elif isinstance(given, Sequence) and not isinstance(given, str):
        for value in given:
            yield from _values(value)


def told(lessons: Sequence[tuple[str, str]]) -> str:
    """The lessons as they stand in a prompt, "" for none."""
    lines = "\n".join(f"- {tool}: {text}" for tool, text in lessons)
    return f"What went wrong with tools before:\n{lines}" if lines else ""

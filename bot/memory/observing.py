"""From a conversation that is over to an observation: what its person said themselves, and what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.storage.tables import Message, Observation, Session

_LONGEST = 6_000
"""Characters of one observation."""
_LONGEST_ANSWER = 300
"""Of an answer only its beginning is kept: facts come from the person."""


def observed(session: Session, messages: Sequence[Message], now: float) -> Observation | None:
    """What is worth looking at in these messages; None where the person said nothing of their own.

    Text from outside is left out, and so are answers that were made from it: nobody's mail may teach us facts.
    """
    lines = list(_lines(messages))
    if not any(line.startswith("Person:") for line in lines):
        return None
    text = "\n".join(lines)
    if len(text) > _LONGEST:
        # The end is where a conversation arrives; its beginning says what it was about.
        text = f"{text[: _LONGEST // 3]}\n[...]\n{text[-_LONGEST * 2 // 3 :]}"
    return Observation(person=session.person, session=session.key, text=text, at=now)


def _lines(messages: Iterable[Message]) -> Iterable[str]:
    for message in messages:
        if message.trust != "own" or not message.content.strip() or message.content.startswith("/"):
            continue
        if message.role == "user":
            yield f"Person: {message.content.strip()}"
        elif message.role == "assistant":
            yield f"Assistant: {message.content.strip()[:_LONGEST_ANSWER]}"

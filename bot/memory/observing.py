"""From a conversation that is over to an observation: what its person said themselves, and what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bot.memory.facts import holds
from bot.storage.tables import Message, Observation

_LONGEST = 6_000
"""Characters of one observation."""
_LONGEST_ANSWER = 300
"""Of an answer only its beginning is kept: facts come from the person."""
PERSON = "Person: "


class Forgotten(NamedTuple):
    """What somebody wanted forgotten, and when."""

    at: float
    words: str


def observed(
    person: str, session: str, messages: Sequence[Message], forgotten: Sequence[Forgotten]
) -> Observation | None:
    """What is worth looking at in these messages; None where the person said nothing of their own.

    Text from outside is left out, and so are answers that were made from it: nobody's mail may teach us facts. What
    the person wanted forgotten afterwards is left out, too.
    """
    text = "\n".join(_lines(messages, forgotten))
    if not says_something(text):
        return None
    if len(text) > _LONGEST:
        # The end is where a conversation arrives; its beginning says what it was about.
        text = f"{text[: _LONGEST // 3]}\n[...]\n{text[-_LONGEST * 2 // 3 :]}"
    return Observation(person=person, session=session, text=text, at=messages[-1].created_at)


def struck(text: str, words: str) -> str:
    """An observation without the lines that hold all of these words, "" where the person says nothing any more."""
    left = "\n".join(line for line in text.splitlines() if not holds(line, words))
    return left if says_something(left) else ""


def says_something(text: str) -> bool:
    return any(line.startswith(PERSON) for line in text.splitlines())


def _lines(messages: Iterable[Message], forgotten: Sequence[Forgotten]) -> Iterator[str]:
    for message in messages:
        if message.trust != "own" or message.content.startswith("/"):
            continue
        later = [one.words for one in forgotten if message.created_at <= one.at]
        lines = [line for line in message.content.splitlines() if not any(holds(line, w) for w in later)]
        said = "\n".join(lines).strip()
        if said and message.role == "user":
            yield f"{PERSON}{said}"
        elif said and message.role == "assistant":
            yield f"Assistant: {said[:_LONGEST_ANSWER]}"

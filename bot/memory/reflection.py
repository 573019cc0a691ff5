"""Distils facts from what was observed: one question to a cheap model, whose proposals are checked before they count.

It has no tools, reads no text from outside, asks nothing where nothing is new, and a bad or empty reply changes
nothing: the observations stay for the next time, until three replies to them were unusable.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field, TypeAdapter

from bot.memory.facts import Change, within
from providers.types import Message

MOST_CHANGES = 40
"""Of one reply; what is more of them is left out."""
_MOST_CHARS = 24_000
"""Of observations in one question; the rest waits for the next."""
_NOTES_CHARS = 24_000
"""Of the present notes in it; older ones stay as they are."""

PROMPT = """\
You keep the notes of a personal assistant about one person. You get the present notes and new conversations. Decide \
what is worth knowing in months: names, family, work, home, health, preferences, plans with dates, standing wishes. \
Leave out small talk, one-off questions, what the assistant said, and anything you are not sure of. Never write down \
passwords or keys. Write each note as one plain sentence about the person, with absolute dates.

Answer with a JSON array and nothing else. Its items:
{"kind": "add", "new": "...", "from": [<numbers of conversations>]}
{"kind": "change", "old": "<a present note, word for word>", "new": "...", "from": [...]}   where one corrects it
{"kind": "drop", "old": "<a present note, word for word>"}   where a new conversation shows that it no longer holds
Nothing to change: []"""


class _Proposed(BaseModel):
    kind: str
    new: str = ""
    old: str = ""
    sources: list[int | str] = Field(default=[], alias="from")


_MOST_BRACKETS = 200
_PROPOSALS = TypeAdapter(list[_Proposed])


class Unusable(Exception):
    """A reply that is no list of changes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation, as the model gets it."""

    id: int
    at: float
    session: str
    text: str


def portion(observations: Sequence[Seen]) -> list[Seen]:
    """As many of the oldest as fit into one question, at least one."""
    taken: list[Seen] = []
    for one in observations:
        if taken and sum(len(o.text) for o in taken) + len(one.text) > _MOST_CHARS:
            break
        taken.append(one)
    return taken


def question(notes: str, observations: Sequence[Seen]) -> tuple[Message, ...]:
    """What the model is asked."""
    conversations = "\n\n".join(
        f"## Conversation {one.id} on {time.strftime('%A %Y-%m-%d', time.localtime(one.at))}\n{one.text}"
        for one in observations
    )
    present = within(notes, _NOTES_CHARS) or "(none yet)"
    return (
        Message("system", PROMPT),
        Message("user", f"# Present notes\n{present}\n\n# New conversations\n{conversations}"),
    )


def proposals(reply: str, observations: Sequence[Seen]) -> list[Change]:
    """The changes that a reply proposes, each with its source. Raises `Unusable`."""
    changes = []
    for one in _list_in(reply)[:MOST_CHANGES]:
        source = _source(_named(one.sources, observations))
        match one.kind:
            case "add":
                changes.append(Change("add", new=_plain(one.new), source=source))
            case "change":
                changes.append(Change("change", new=_plain(one.new), old=_plain(one.old), source=source))
            case "drop":
                changes.append(Change("drop", old=_plain(one.old)))
            case _:
                raise Unusable(f"{one.kind!r} is no kind of change")
    return changes


def _list_in(reply: str) -> list[_Proposed]:
    """The last list in a reply: models like to think aloud before it."""
    decoder = json.JSONDecoder()
    found: list[_Proposed] | None = None
    problem, at = "it holds no list", 0
    for _ in range(_MOST_BRACKETS):
        at = reply.find("[", at)
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(reply, at)
            found = _PROPOSALS.validate_python(value)
        except (ValueError, RecursionError) as error:
            problem, end = str(error).splitlines()[0], at + 1
        at = end
    if found is None:
        raise Unusable(problem)
    return found


def _named(sources: Sequence[int | str], observations: Sequence[Seen]) -> Sequence[Seen]:
    """The conversations that a proposal names; all of them where it names none that there is."""
    wanted = {str(source) for source in sources}
    return [one for one in observations if str(one.id) in wanted] or observations


def _plain(text: str) -> str:
    """A note as it is compared: without the mark of a list and the comment on its source."""
    return re.sub(r"<!--.*?-->", "", text).strip().lstrip("-*").strip()


def _source(observations: Sequence[Seen]) -> str:
    days = sorted({time.strftime("%Y-%m-%d", time.localtime(one.at)) for one in observations})
    channels = sorted({one.session.partition(":")[0] for one in observations})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{when}, {', '.join(channels)}; observation {', '.join(str(one.id) for one in observations)}"

"""The file of facts: Markdown that a person may edit at any time. Pure.

A line that begins with "- " is a fact; a comment at its end says where it is from. Everything else is the person's own
and stays as it is. Changes name a fact by its text, so that they still fit after somebody edited the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

LONGEST_FACT = 300
"""Characters."""
MOST_CHANGES = 40
"""Of one reflection."""
_FACT = re.compile(r"^\s*[-*]\s+(?P<text>.*?)\s*(?:<!--\s*(?P<source>.*?)\s*-->)?\s*$")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, where it is from ("" where nobody said), and its line in the file, from 0."""

    text: str
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Change:
    """One proposed change. `old` is the text of the fact that it concerns, `new` what stands there afterwards."""

    kind: Literal["add", "change", "drop"]
    new: str = ""
    old: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """The file after the changes, and one line for each that was left out, saying why."""

    text: str
    done: tuple[Change, ...]
    left_out: tuple[str, ...]


def parse(text: str) -> list[Fact]:
    """The facts of a file, in order."""
    found = ((number, _FACT.match(line)) for number, line in enumerate(text.splitlines()))
    return [Fact(m["text"], m["source"] or "", number) for number, m in found if m and m["text"]]


def apply(text: str, changes: Sequence[Change], heading: str, *, most_lost: float = 0.25) -> Applied:
    """Apply what is sound of the changes, in order. At most `most_lost` of the facts are changed or dropped.

    A first fact makes the file, beginning with `heading`.
    """
    lines = text.splitlines() or [f"# {heading}", ""]
    facts = {_key(fact.text): fact for fact in parse(text)}
    may_lose = max(1, int(len(facts) * most_lost)) if facts else 0
    done: list[Change] = []
    left_out: list[str] = []
    gone: set[int] = set()
    for change in changes[:MOST_CHANGES]:
        why = _fault(change, facts)
        if not why and change.kind != "add" and sum(c.kind != "add" for c in done) >= may_lose:
            why = f"more than {may_lose} of {len(facts)} facts would be changed at once"
        if why:
            left_out.append(f"{change.kind} {change.new or change.old!r}: {why}")
            continue
        if change.kind == "add":
            lines.append(_line(change))
            facts[_key(change.new)] = Fact(change.new, change.source, len(lines) - 1)
        else:
            fact = facts.pop(_key(change.old))
            if change.kind == "drop":
                gone.add(fact.line)
            else:
                lines[fact.line] = _line(change)
                facts[_key(change.new)] = Fact(change.new, change.source, fact.line)
        done.append(change)
    left_out += [f"{len(changes) - MOST_CHANGES} more"] if len(changes) > MOST_CHANGES else []
    kept = [line for number, line in enumerate(lines) if number not in gone]
    return Applied("\n".join(kept).rstrip() + "\n", tuple(done), tuple(left_out))


def _fault(change: Change, facts: dict[str, Fact]) -> str:
    new = change.new.strip()
    if change.kind != "add" and _key(change.old) not in facts:
        return "there is no such fact"
    if change.kind == "drop":
        return ""
    if not new or len(new) > LONGEST_FACT:
        return f"a fact has 1 to {LONGEST_FACT} characters"
    if "\n" in new or "<!--" in new or "-->" in new:
        return "a fact is one plain line"
    if _key(new) in facts:
        return "it is known"
    return ""


def matching(text: str, words: str) -> list[Fact]:
    """The facts that hold all of these words."""
    wanted = [_key(word) for word in words.split()]
    return [fact for fact in parse(text) if wanted and all(word in _key(fact.text) for word in wanted)]


def _key(text: str) -> str:
    """Two facts are the same where they differ in case, spaces and the full stop alone."""
    return re.sub(r"\s+", " ", text).strip().rstrip(".").casefold()


def _line(change: Change) -> str:
    source = re.sub(r"-->|\n", " ", change.source).strip()
    return f"- {change.new.strip()}" + (f" <!-- {source} -->" if source else "")

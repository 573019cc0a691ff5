"""The file of facts: Markdown that a person may edit at any time. Pure.

A line that begins with "- " is a fact; a comment at its end says where it is from. Everything else is the person's own
and stays as it is. Changes name a fact by its text, so that they still fit after somebody edited the file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Literal

HOUSEHOLD = "@household"
"""Who owns what everybody shares; no person can have this name."""
LONGEST_FACT = 300
"""Characters."""
_BULLET = re.compile(r"\s*[-*]\s")


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
    found = (_fact(line, number) for number, line in enumerate(_lines(text)))
    return [fact for fact in found if fact is not None and fact.text]


def _fact(line: str, number: int) -> Fact | None:
    bullet = _BULLET.match(line)
    if bullet is None:
        return None
    said = line[bullet.end() :].strip()
    text, _, source = said.partition("<!--")
    if source.endswith("-->"):
        return Fact(text.rstrip(), source[:-3].strip(), number)
    return Fact(said, "", number)


def apply(text: str, changes: Sequence[Change], heading: str, *, most_lost: float = 0.25) -> Applied:
    """Apply what is sound of the changes, in order. At most `most_lost` of the facts are changed or dropped.

    A fact that stands there more than once is one. A first fact makes the file, beginning with `heading`.
    """
    lines = _lines(text) if text else [f"# {heading}", ""]
    facts: dict[str, list[int]] = {}
    for fact in parse(text):
        facts.setdefault(_key(fact.text), []).append(fact.line)
    may_lose = max(1, int(len(facts) * most_lost)) if facts else 0
    done: list[Change] = []
    left_out: list[str] = []
    gone: set[int] = set()
    for change in changes:
        why = _fault(change, facts)
        if not why and change.kind != "add" and sum(c.kind != "add" for c in done) >= may_lose:
            why = f"more than {may_lose} of the facts would be changed at once"
        if why:
            left_out.append(f"{change.kind} {change.new or change.old!r}: {why}")
            continue
        if change.kind == "add":
            lines.append(_line(change))
            facts[_key(change.new)] = [len(lines) - 1]
        else:
            first, *others = facts.pop(_key(change.old))
            gone.update(others)
            if change.kind == "drop":
                gone.add(first)
            else:
                lines[first] = _line(change)
                facts[_key(change.new)] = [first]
        done.append(change)
    kept = [line for number, line in enumerate(lines) if number not in gone]
    return Applied("\n".join(kept).rstrip() + "\n", tuple(done), tuple(left_out))


def _fault(change: Change, facts: Container[str]) -> str:
    new = change.new.strip()
    if change.kind != "add" and _key(change.old) not in facts:
        return "there is no such fact"
    if change.kind == "drop":
        return ""
    if not new or len(new) > LONGEST_FACT:
        return f"a fact has 1 to {LONGEST_FACT} characters"
    if len(new.splitlines()) != 1 or "\0" in new or "<!--" in new or "-->" in new:
        return "a fact is one plain line"
    if _key(new) in facts:
        return "it is known"
    return ""


def within(text: str, most: int) -> str:
    """The newest lines that fit into so many characters, without headings and sources."""
    lines = [line for line in _lines(text) if line.strip() and not line.startswith("#")]
    kept: list[str] = []
    used = 0
    for line in reversed(lines):
        plain = line.split("<!--")[0].rstrip()
        used += len(plain) + 1
        if used > most:
            kept.append("(older ones are in the file)")
            break
        kept.append(plain)
    return "\n".join(reversed(kept)).strip()


def matching(text: str, words: str) -> list[Fact]:
    """The facts that hold all of these words."""
    return [fact for fact in parse(text) if holds(fact.text, words)]


def holds(text: str, words: str) -> bool:
    """Whether a text holds all of these words, at least one; "tea" is not in "team"."""
    wanted, key = [_key(word) for word in words.split()], _key(text)
    return bool(wanted) and all(_word_in(word, key) for word in wanted)


def _word_in(word: str, key: str) -> bool:
    if word.lower() == word.upper():
        return word in key  # a script that puts no spaces between words, or a number
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", key) is not None


def _key(text: str) -> str:
    """Facts are the same that differ in case, spaces, a full stop and the way letters are composed alone."""
    plain = unicodedata.normalize("NFC", text)
    return re.sub(r"\s+", " ", plain).strip().rstrip(".").casefold()


def _lines(text: str) -> list[str]:
    """The lines as an editor counts them; other separators are a person's own and stay."""
    return text.removesuffix("\n").split("\n")


def _line(change: Change) -> str:
    source = re.sub(r"-->|\s+", " ", change.source).strip()
    return f"- {change.new.strip()}" + (f" <!-- {source} -->" if source else "")

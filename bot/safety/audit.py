"""The audit log: what was done by tools, who asked for it and on whose words, in a chain of digests.

Each entry's digest covers the one before it, so that nothing can be changed, left out or put elsewhere unnoticed. The
last digest is also written to a file beside the database (an anchor), which tells where a tail was cut off. What a
call held and returned lies beside the chain and may be erased; the digests stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.safety.rules import Trust, Verdict

ANCHORS = "audit.anchors"
"""The file beside the database that tells where the log ends."""
FIRST = "0" * 64
"""What the first entry follows."""
_LONGEST_FILE = 1_000_000
_KEPT = 100
"""Of a long file of anchors, so many of the newest stay, and every so many of the older."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One call of a tool. `model` is who made it, `trust` the worst label in the context that led to it."""

    at: float
    model: str
    tool: str
    arguments: Mapping[str, Any]
    trust: Trust
    verdict: Verdict
    ok: bool
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of the chain; `arguments` and `result` are digests of what lies beside it."""

    at: float
    session: str
    turn: int
    person: str
    model: str
    tool: str
    trust: str
    verdict: str
    ok: bool
    seconds: float
    arguments: str
    result: str


@dataclass(frozen=True, slots=True)
class Linked:
    """An entry as it is stored, with what lies beside it (None: erased)."""

    id: int
    entry: Entry
    digest: str
    payload: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Anchor:
    id: int
    digest: str


def entry_of(deed: Deed, session: str, turn: int, person: str) -> Entry:
    return Entry(
        deed.at,
        session,
        turn,
        person,
        deed.model,
        deed.tool,
        deed.trust.value,
        deed.verdict.value,
        deed.ok,
        round(deed.seconds, 3),
        digest_of(canonical(dict(deed.arguments))),
        digest_of(deed.result),
    )


def link(previous: str, entry: Entry) -> str:
    """The digest of an entry that follows the one with the digest `previous`."""
    return digest_of(f"{previous}\n{canonical(asdict(entry))}")


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: Any) -> str:
    """The one way in which a value is written, whatever order its keys came in."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


class Check:
    """Looks through a chain piece by piece, oldest entries first. Each anchor must still be true."""

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        self._wanted: dict[int, set[str]] = {}
        for anchor in anchors:
            # A number may stand there twice: of a tail that was cut off, and of what was appended in its place.
            self._wanted.setdefault(anchor.id, set()).add(anchor.digest)
        self._previous = FIRST
        self.last = 0
        """The entry that was looked at last."""

    def look(self, entries: Iterable[Linked]) -> Iterator[str]:
        """What is wrong with the next entries, the first broken link first."""
        for one in entries:
            if one.id != self.last + 1:
                yield f"entry {one.id}: {_missing(self.last + 1, one.id - 1)} missing before it"
            if link(self._previous, one.entry) != one.digest:
                yield f"entry {one.id}: it, or the order before it, was changed"
            if one.payload is not None:
                arguments, result = one.payload
                if digest_of(arguments) != one.entry.arguments or digest_of(result) != one.entry.result:
                    yield f"entry {one.id}: what lies beside it was changed"
            if self._wanted.get(one.id, set()) - {one.digest}:
                yield f"entry {one.id}: it is another one than its anchor says"
            self._previous, self.last = one.digest, one.id

    def end(self) -> Iterator[str]:
        """What is wrong with the chain's end."""
        newest = max(self._wanted, default=0)
        if newest > self.last:
            yield f"entry {self.last + 1}: {_missing(self.last + 1, newest)} missing at the end"


def faults(entries: Iterable[Linked], anchors: Sequence[Anchor]) -> Iterator[str]:
    """Everything that is wrong with a whole chain; nothing for a sound one."""
    check = Check(anchors)
    yield from check.look(entries)
    yield from check.end()


def _missing(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


class Anchors:
    """The file of anchors."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, anchor: Anchor) -> None:
        """Write one down. Raises OSError."""
        line = f"{anchor.id} {anchor.digest}\n"
        with self._file.open("a", encoding="ascii") as out:
            out.write(line)
            size = out.tell()
        if size > _LONGEST_FILE:
            self._thin()

    def read(self) -> list[Anchor]:
        """All of them, oldest first; lines that are none are left out."""
        try:
            lines = self._file.read_text(encoding="ascii", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        found = (line.split() for line in lines)
        return [Anchor(int(parts[0]), parts[1]) for parts in found if len(parts) == 2 and parts[0].isdigit()]

    def _thin(self) -> None:
        anchors = self.read()
        kept = [*anchors[:-_KEPT:_KEPT], *anchors[-_KEPT:]]
        new = self._file.with_suffix(".new")
        new.write_text("".join(f"{anchor.id} {anchor.digest}\n" for anchor in kept), encoding="ascii")
        new.replace(self._file)

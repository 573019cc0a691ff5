"""One row of the table of faults: what must happen (`Must`), playing it, and the line of what was seen."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from providers.health import Rest
from tests.faults.scene import SECOND, Scene, Turn

SLACK = 3.0
"""Real seconds that a busy machine may add."""
TURNS = 3
"""After so many turns in which the first failed, it rests, if it ever does."""
RETRY_PAUSE = 0.75
"""The longest wait before the same model is asked once more."""
HEALTHY = "healthy/fake-1"


@dataclass(frozen=True)
class Must:
    """What has to happen in the first turn, and after it.

    `became`: of each call to the first provider; "" is an answer. `calls`: those to the first provider and to the
    healthy one. `waits`: seconds slept, retries' pauses apart. `lasts`: seconds that the first lets pass until it
    answers or is given up. `rests`: the scope that rests then, and for how many seconds, after `turns` such turns.
    """

    became: tuple[str, ...]
    calls: tuple[int, int] = (1, 1)
    by: str = HEALTHY
    waits: float = 0.0
    lasts: float = 0.0
    rests: tuple[str, float] | None = None
    turns: int = 1
    asked_again: bool = False
    """Whether the next turn asks the first again although it failed, as nothing about it rests."""
    returns: bool = True
    """Whether it answers again, and that is told, once it is well and its rest is over."""
    says: str = ""
    """A part of what the person reads."""


@dataclass(frozen=True)
class Row:
    """What was seen, as the table has it."""

    key: str
    title: str
    became: str
    rests: str
    read: str
    calls: str
    seconds: str

    def line(self) -> str:
        cells = (self.key, self.title, self.became, self.rests, self.read, self.calls, self.seconds)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


async def play(key: str, title: str, scene: Scene, must: Must) -> Row:
    """Ask until the first rests, and once more when it is well again. Raises AssertionError where it goes wrong."""
    began = time.monotonic()
    first = await scene.turn()
    _check(first, must, time.monotonic() - began)
    seen_calls = (len(first.errors("first")), scene.healthy.received)
    if scene.case.server == "up":
        seen_calls = (scene.first.received, scene.healthy.received)
    assert seen_calls == must.calls
    rest = await _failing_on(scene, must) if first.path[0].error else None
    if first.notice and must.returns:
        await _back_again(scene, must, str(first.path[0].route))
    calls = f"{must.calls[0]} + {must.calls[1]}"
    seconds = f"{must.waits + must.lasts:g}" if must.waits + must.lasts else "< 1"
    return Row(key, title, _became(must.became), _scope(rest, must), one_line(first.read), calls, seconds)


def _check(seen: Turn, must: Must, took: float) -> None:
    assert tuple(seen.errors("first")) == must.became
    assert seen.by == must.by
    assert must.says in seen.read, seen.read
    pauses = RETRY_PAUSE * (len(must.became) - 1)
    assert must.waits <= seen.waited <= must.waits + pauses, seen.waited
    assert must.lasts * SECOND <= took + 0.01, took
    assert took < must.lasts * SECOND + SLACK, took
    if len(seen.path) > 1 and seen.by:
        assert seen.shown == seen.answer, "what is shown is the answer, and nothing of one that died"


async def _failing_on(scene: Scene, must: Must) -> Rest | None:
    """Turn for turn until something rests; nothing more is said about it, and then nobody asks it."""
    rest = _resting(scene)
    for number in range(1, TURNS + 1):
        if rest is not None:
            assert number == must.turns, f"it rests after {number} turns"
            break
        if number < TURNS:
            await _and_then(scene, must)
            rest = _resting(scene)
    seen = None if rest is None else (_kind(rest), round(rest.until - scene.clock.now, 3))
    assert seen == must.rests
    before = scene.first.received
    turn = await _and_then(scene, must)
    if not must.asked_again:
        assert (scene.first.received - before, turn.waited) == (turn.by.startswith("first/"), 0.0)
    return rest


async def _and_then(scene: Scene, must: Must) -> Turn:
    seen = await scene.turn("and?")
    assert (seen.by, seen.notice) == (must.by, ""), "the same one answers, and nothing more is said"
    return seen


async def _back_again(scene: Scene, must: Must, wanted: str) -> None:
    await scene.heal()
    scene.clock.now += must.rests[1] + 1 if must.rests else 0
    seen = await scene.turn("back?")
    assert (seen.by, seen.notice) == (wanted, f"✅ {wanted} is back.")
    assert scene.rests() == {}


def _resting(scene: Scene) -> Rest | None:
    """What rests now; one scope at a time."""
    rests = list(scene.rests().values())
    assert len(rests) <= 1, rests
    return rests[0] if rests else None


def _kind(rest: Rest) -> str:
    kind, _, name = rest.scope.partition(":")
    return f"{kind} (all :free)" if kind == "account" and name.endswith(":free") else kind


def _became(became: tuple[str, ...]) -> str:
    counted = Counter(became)
    times = {1: "", 2: " twice"}
    return ", then ".join(f"{name or 'an answer'}{times[count]}" for name, count in counted.items())


def _scope(rest: Rest | None, must: Must) -> str:
    if rest is None or must.rests is None:
        return "nothing"
    after = {1: "", 2: ", after a 2nd turn", 3: ", after a 3rd turn"}[must.turns]
    return f"{must.rests[0]} for {_length(must.rests[1])}{after}"


def _length(seconds: float) -> str:
    for size, word in ((86_400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {word}"
    return f"{seconds:g} s"


def one_line(text: str) -> str:
    """A text of several lines in one. OpenSSL's versions differ in a hyphen."""
    return " / ".join(line for line in text.splitlines() if line).replace("self signed", "self-signed")

"""The forty cases of `tests.fakes.llm.cases`, each with the chain that it befalls and what must happen.

A key is the case's number; a word behind it tells apart what happens to the same case in another chain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.fakes.llm.cases import cases
from tests.faults.rows import Must, Row, one_line, play
from tests.faults.scene import BETWEEN_TOKENS, FIRST_TOKEN, NOW, SECOND, Chain, Hook, Scene, opened

FIRST = "first/fake-1"
FREE = "first/vendor/model:free"
DAY = 86_400.0


@dataclass(frozen=True)
class Play:
    must: Must
    chain: Chain = field(default_factory=Chain)
    passes: bool = False
    """The first fails once only."""

    @property
    def note(self) -> str:
        """What of the chain the title tells."""
        return "" if self.chain.healthy else "; nobody else is there"


def _twice(name: str, kind: str, **more: object) -> Play:
    """Fails, is asked once more at once, and rests from the second such turn on."""
    return Play(Must((name, name), (2, 1), rests=(kind, 30.0), turns=2, **more))  # type: ignore[arg-type]


def _at_once(name: str, kind: str, seconds: float, says: str = "") -> Play:
    return Play(Must((name,), rests=(kind, seconds), says=says))


def _stalled(limit: float) -> Play:
    return Play(Must(("Stalled",), lasts=limit, rests=("model", 30.0), turns=3, says="stopped answering"))


def _sibling(seconds: float) -> Play:
    must = Must(("RateLimited", ""), (2, 0), "first/sibling", rests=("model", seconds))
    return Play(must, Chain(("fake-1", "sibling"), ("fake-1",)))


def _itself(calls: int = 1, **more: object) -> Must:
    return Must(("",), (calls, 0), FIRST, **more)  # type: ignore[arg-type]


def _loaded_after(seconds: float) -> Chain:
    def watched(scene: Scene) -> Hook:
        async def hook(slept: float) -> None:
            if slept >= seconds:
                scene.first.load_for(0)

        return hook

    return Chain(healthy=False, on_sleep=watched)


ALONE = Chain(healthy=False)
POOL = Chain(("vendor/model:free", "other/model:free", "vendor/paid"), ("vendor/model:free",))
WIDER = Chain(windows={"fake-1": 128_000})

PLAYS: Mapping[str, Play] = {
    "1": Play(Must(("Unreachable",), rests=("provider", 30.0), turns=2, says="can't be reached")),
    "2": _stalled(FIRST_TOKEN),
    "3": Play(Must(("Misconfigured",), (1, 1), rests=("provider", 600.0), returns=False, says="certificate")),
    "4": Play(Must(("ServerError", ""), (2, 0), FIRST)),
    "5": _twice("ServerError", "provider"),
    "6": _twice("ServerError", "provider", says="web page, status 502"),
    "7": Play(Must(("Overloaded", ""), (2, 0), FIRST, waits=2.0), ALONE),
    "8": _at_once("Overloaded", "model", 3600.0),
    "9": _twice("Overloaded", "model"),
    "10": _at_once("RateLimited", "model", 1.5),
    "10 alone": Play(Must(("RateLimited", ""), (2, 0), FIRST, waits=1.5), ALONE, passes=True),
    "11": _sibling(360.0),
    "12": Play(Must(("RateLimited", ""), (2, 0), "first/vendor/paid", rests=("account (all :free)", 7200.0)), POOL),
    "13": Play(Must(("RateLimited", ""), (2, 0), "first/other:free", rests=("model", 17.0)),
               Chain(("vendor/model:free", "other:free"), ("vendor/model:free",))),
    "14": _at_once("OutOfMoney", "credential", 600.0, "out of credit"),
    "15": _at_once("OutOfMoney", "credential", DAY, "spend limit"),
    "16": _at_once("Withheld", "model", 3600.0, "limit: 0"),
    "17": _twice("Overloaded", "model"),
    "18": _at_once("Denied", "credential", 600.0, "refused the key"),
    "19": _at_once("RateLimited", "model", 3.0),
    "19 alone": Play(Must(("RateLimited", ""), (2, 0), FREE, waits=3.0), ALONE),
    "20": _at_once("OutOfMoney", "credential", 600.0, "Insufficient credits"),
    "21": Play(Must(("Refused",), (1, 0), "", asked_again=True, says="flagged")),
    "22": _at_once("OutOfMoney", "credential", DAY, "Key limit exceeded"),
    "23": _at_once("UnknownModel", "model", 3600.0, "free variant has ended"),
    "24": Play(Must(("NoToolSupport",), returns=False, says="can't use tools")),
    "25": _at_once("Withheld", "model", 3600.0, "openrouter.ai/settings/privacy"),
    "26": Play(Must(("TooLong",), asked_again=True, says="conversation this long"), WIDER),
    "27": Play(Must(("TooLong",), asked_again=True, says="4096")),
    "28": _at_once("RateLimited", "model", 30.0),
    "29": Play(_itself(2)),
    "30": _twice("ServerError", "provider"),
    "31": _twice("Empty", "model"),
    "32": _stalled(FIRST_TOKEN),
    "33": Play(Must(("",), (1, 0), FREE, lasts=40.0), Chain(patient=True)),
    "34": _at_once("RateLimited", "model", 30.0),
    "35": _twice("ServerError", "provider"),
    "36": _twice("CutStream", "model", says="broke off its answer"),
    "37": _stalled(BETWEEN_TOKENS),
    "38": Play(_itself()),
    "39": Play(Must(("Loading",), asked_again=True, says="still loading")),
    "39 alone": Play(Must(("Loading", ""), (2, 0), FIRST, waits=8.0), _loaded_after(8.0)),
}  # fmt: skip


async def row(key: str) -> Row:
    """Play one. Raises AssertionError where something else happens than must."""
    if key.startswith("40"):
        return await _forty(key)
    number = int(key.split(maxsplit=1)[0])
    played = PLAYS[key]
    case = cases(second=100.0 if number == 39 else SECOND, now=NOW)[number]
    if played.passes:
        case = replace(case, forever=False)
    async with opened(case, played.chain) as scene:
        return await play(key.split(maxsplit=1)[0], case.title + played.note, scene, played.must)


async def _forty(key: str) -> Row:
    """Down until its breaker is open, then ten turns at once: one of them is the probe."""
    case = cases(now=NOW)[40]
    well = key == "40"
    async with opened(case) as scene:
        told = [(await scene.turn(str(n))).notice for n in range(3)]
        assert [bool(line) for line in told] == [True, False, False]
        assert scene.rests()["provider:first"].until == scene.clock.now + 30.0
        scene.clock.now += 60.0
        before = scene.healthy.received
        if well:
            await scene.heal()
        turns = await asyncio.gather(*(scene.turn(str(n)) for n in range(10)))
        probes = [error for turn in turns for error in turn.errors("first")]
        others = scene.healthy.received - before
        assert probes == ([""] if well else ["Unreachable"])
        assert others == (9 if well else 10)
        assert all(turn.waited == 0.0 for turn in turns)
        rests = scene.rests()
        assert not rests if well else rests["provider:first"].until == scene.clock.now + 60.0
        return Row(
            "40",
            f"{case.title}; it is {'back' if well else 'still down'}",
            "an answer" if well else "Unreachable",
            "nothing" if well else "provider for 1 min",
            one_line("; ".join(dict.fromkeys(t.notice for t in turns if t.notice)) or turns[0].answer),
            f"1 + {others}",
            "< 1",
        )


KEYS = (*PLAYS, "40", "40 down")

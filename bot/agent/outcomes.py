"""Every way a turn can end, and what the user reads then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.agent.calls import Suspended
from bot.gateway import notices
from providers.types import Attempt, Route


@dataclass(frozen=True, slots=True)
class Answered:
    """The model's own words. `cut` says that its length limit ended them."""

    text: str
    cut: bool = False
    tiny: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Answered by code: a fact about the set-up, which no model knows."""

    text: str


@dataclass(frozen=True, slots=True)
class OutOfSteps:
    steps: int


@dataclass(frozen=True, slots=True)
class OutOfTime:
    seconds: float
    text: str = ""
    """What was said until then."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The user said /stop; `text` is what was said until then."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Revised:
    """The person changed the message that was being answered; the newer version is answered next."""


@dataclass(frozen=True, slots=True)
class SpentUp:
    """One more call might cost more than one message may; `used` is how much of that it has, in words."""

    used: str
    text: str = ""
    """What was said until then."""


@dataclass(frozen=True, slots=True)
class NoModelLeft:
    """Every candidate failed or rests. `retry_at` is in seconds since the epoch; `chosen`: by /model, for this chat."""

    path: tuple[Attempt, ...]
    retry_at: float | None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """A worker handed back its result, as text for the one who asked."""

    text: str


@dataclass(frozen=True, slots=True)
class Waits:
    """Somebody's word is needed first; the turn is not over."""

    asked: Suspended


@dataclass(frozen=True, slots=True)
class Failed:
    """A fault of ours; the log has its trace."""


Outcome = (
    Answered
    | Told
    | OutOfSteps
    | OutOfTime
    | Stopped
    | Revised
    | SpentUp
    | NoModelLeft
    | Reported
    | Waits
    | Failed
)


def say(outcome: Outcome, now: float) -> str:
    """The text of a turn's end, in Markdown."""
    match outcome:
        case Answered(text, cut=True):
            return f"{text}\n\n[cut off at the length limit; say “go on” for the rest]"
        case Answered(text) | Told(text) | Reported(text):
            return text
        case Waits(asked):
            return asked.question
        case OutOfSteps() | SpentUp():
            return _at_its_limit(outcome)
        case OutOfTime() | Stopped() | Revised():
            return _cut_short(outcome)
        case NoModelLeft():
            return _no_model(outcome, now)
        case Failed():
            return "Something in me failed while I worked on this; my log says what. Please try once more."


def _cut_short(outcome: OutOfTime | Stopped | Revised) -> str:
    match outcome:
        case OutOfTime(seconds, text):
            return f"{_begun(text)}I stopped after {_minutes(seconds)}. Say “go on”, or ask for less at once."
        case Stopped(text):
            return f"{_begun(text)}⏹ Stopped."
        case Revised():
            return "✏️ You changed your message; I start again."


def _at_its_limit(outcome: OutOfSteps | SpentUp) -> str:
    match outcome:
        case OutOfSteps(steps):
            return f"I took {steps} steps and am not done. Say “go on”, or ask for a smaller part of it."
        case SpentUp(used, text):
            return (
                f"{_begun(text)}This message has used up what one message may cost: {used} are gone, and one more "
                "step might take more than the rest. Say “go on” to let me continue."
            )


def words(outcome: Outcome) -> str:
    """What of a turn's end stands in the conversation as the assistant's own words; no message of ours about it."""
    match outcome:
        case Answered(text) | Told(text) | OutOfTime(_, text) | Stopped(text) | Reported(text):
            return text.strip()
        case _:
            return ""


def _no_model(outcome: NoModelLeft, now: float) -> str:
    last: dict[Route, Attempt] = {}
    for attempt in outcome.path:
        if attempt.called or attempt.route not in last:
            last[attempt.route] = attempt
    alike: dict[tuple[str, str], list[Route]] = {}
    for route, attempt in last.items():
        alike.setdefault((route.provider, notices.explain(attempt, now)), []).append(route)
    lines = [f"- {first} {why}{_likewise(more)}" for (_, why), (first, *more) in alike.items()]
    ends = []
    if all(attempt.needs_owner for attempt in outcome.path):
        ends.append("That needs its owner: a key, credit or a model's name in the configuration.")
    elif outcome.retry_at is not None and outcome.retry_at > now:
        ends.append(
            f"The first may be back at {notices.clock(outcome.retry_at, now)}; please write again then."
        )
    if outcome.chosen:
        ends.append("`/model auto` lets others answer in this chat, too.")
    # Without the empty line, Markdown would make what follows a part of the list.
    last_words = ["", " ".join(ends)] if ends else []
    return "\n".join(["No model can answer right now:", *lines, *last_words])


def _likewise(more: Sequence[Route]) -> str:
    """That others of the provider fared the same: a single one by its name."""
    if not more:
        return ""
    return f" (likewise {more[0] if len(more) == 1 else f'{len(more)} more of {more[0].provider}'})"


def _begun(text: str) -> str:
    return f"{text.rstrip()}\n\n" if text.strip() else ""


def _minutes(seconds: float) -> str:
    if seconds >= 90:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds:.0f} second{'s' if seconds >= 1.5 else ''}"

"""What a reader is told about failing models: one line when another one steps in, one when the first is back.

Pure functions of the calls' paths and of what was shown last; the result is committed with the answer, so that a
restart neither repeats nor forgets a line. What was told in a turn that ended, and is over without another one, the
job `probe` takes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from providers import errors
from providers.types import Attempt

Shown = Mapping[str, Any]
"""What was last told: {} nothing wrong; "route": the failing one, "error" and "until": why, and how long at least;
"none": those that failed when nobody was left; "tiny": True once the starter introduced itself.
"""
_ROUTE = ("route", "error", "until")
_STATES = (errors.Overloaded, errors.RateLimited, errors.OutOfMoney, errors.Loading, errors.OverLimit)
"""What lasts until a time; the others happened, and what lasts is that it is left alone."""
_INNER = str.maketrans("()", "[]")
"""For brackets within brackets, which servers' own words bring along."""


def decide(paths: Sequence[Sequence[Attempt]], shown: Shown, now: float) -> tuple[str, Shown]:
    """The line to send ("" for none) and what is then shown, after a turn's answered calls.

    Each path is one call's attempts; the last attempt of the last path answered.
    """
    answered = paths[-1][-1].route
    wanted = paths[-1][0].route
    shown = _without(shown, "none")
    if answered == wanted:
        told = shown.get("route") == str(wanted)
        return (_back(str(wanted)), _without(shown, *_ROUTE)) if told else ("", shown)
    if shown.get("route") == str(wanted):
        return "", shown
    failed = _failures(paths, answered)
    reasons = ", ".join(f"{attempt.route} {explain(attempt, now)}" for attempt in failed)
    why = next(attempt for attempt in failed if attempt.route == wanted)
    line = f"⚠️ {reasons}; {answered} answers instead."
    return line, {**_without(shown, *_ROUTE), "route": str(wanted), "error": why.error, **_until(why)}


def lost(paths: Sequence[Sequence[Attempt]], shown: Shown) -> Shown:
    """What is shown after a turn that nobody answered, which its text said itself."""
    routes = dict.fromkeys(str(a.route) for a in paths[-1] if _may_recover(a.error)) if paths else {}
    return {**shown, "none": list(routes)} if routes else shown


def recovered(shown: Shown, well: Callable[[str], bool], now: float) -> tuple[str, Shown]:
    """The line that takes back what was told ("" for none), and what is then shown, where it is over; `well` knows of
    each route whether it is.
    """
    back = [route for route in shown.get("none", ()) if well(route)][:1]
    route = shown.get("route")
    if (
        route is not None
        and _may_recover(shown.get("error", ""))
        and shown.get("until", 0.0) <= now
        and well(route)
    ):
        return _back(route), _without(shown, "none", *_ROUTE)
    return (_back(back[0]), _without(shown, "none")) if back else ("", shown)


def told_of(shown: Shown) -> list[str]:
    """The routes of whose failure the readers were told."""
    return [*([shown["route"]] if "route" in shown else []), *shown.get("none", ())]


def explain(attempt: Attempt, now: float) -> str:
    """Why a candidate did not answer, as the rest of a sentence that begins with its name.

    Where it is known when the candidate is back, that is enough; its own long words about it are in the status.
    """
    kind = getattr(errors, attempt.error, errors.ProviderError)
    if attempt.until is not None and attempt.until > now and not attempt.needs_owner:
        rests = "" if issubclass(kind, _STATES) else " and rests"
        return f"{kind.summary}{rests} until {clock(attempt.until, now)}"
    if attempt.detail.lower().rstrip(".") in kind.summary:
        return kind.summary  # "is overloaded (Overloaded)" says it twice
    return f"{kind.summary} ({attempt.detail.translate(_INNER)})"


def clock(at: float, now: float) -> str:
    """A time of day on this machine, with the date where that is not today."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%d %b %H:%M", then)


def _back(route: str) -> str:
    return f"✅ {route} is back."


def _without(shown: Shown, *keys: str) -> Shown:
    return {key: value for key, value in shown.items() if key not in keys}


def _until(attempt: Attempt) -> Shown:
    """What needs its owner may be over sooner than it is tried again."""
    return {} if attempt.until is None or attempt.needs_owner else {"until": attempt.until}


def _may_recover(error: str) -> bool:
    """Whether it was about the model and not about what it was asked."""
    kind = getattr(errors, error, errors.ProviderError)
    return bool(kind.scope != "request")


def _failures(paths: Sequence[Sequence[Attempt]], answered: Any) -> list[Attempt]:
    """One attempt per failed route, in order of the walk; a real failure says more than a rest."""
    found: dict[str, Attempt] = {}
    for path in paths:
        for attempt in path:
            known = found.get(str(attempt.route))
            if (
                attempt.error
                and attempt.route != answered
                and (known is None or (attempt.called and not known.called))
            ):
                found[str(attempt.route)] = attempt
    return list(found.values())

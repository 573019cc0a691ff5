"""What a reader is told about failing models: one line when another one steps in, one when the first is back.

A pure function of the calls' paths and of what was shown last; its result is committed with the answer, so that a
restart neither repeats nor forgets a line.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from providers import errors
from providers.types import Attempt

Shown = Mapping[str, Any]
"""What was last told: {} nothing wrong, {"route": the failing one}; "tiny": True once the starter introduced itself."""
_INNER = str.maketrans("()", "[]")
"""For brackets within brackets, which servers' own words bring along."""


def decide(paths: Sequence[Sequence[Attempt]], shown: Shown, now: float) -> tuple[str, Shown]:
    """The line to send ("" for none) and what is then shown, after a turn's answered calls.

    Each path is one call's attempts; the last attempt of the last path answered.
    """
    answered = paths[-1][-1].route
    wanted = paths[-1][0].route
    kept = {key: value for key, value in shown.items() if key != "route"}
    if answered == wanted:
        return (f"✅ {wanted} is back.", kept) if shown.get("route") == str(wanted) else ("", shown)
    if shown.get("route") == str(wanted):
        return "", shown
    failed = _failures(paths, answered)
    reasons = ", ".join(f"{attempt.route} {explain(attempt, now)}" for attempt in failed)
    return f"⚠️ {reasons}; {answered} answers instead.", {**kept, "route": str(wanted)}


def explain(attempt: Attempt, now: float) -> str:
    """Why a candidate did not answer, as the rest of a sentence that begins with its name.

    Where it is known when the candidate is back, that is enough; its own long words about it are in the status.
    """
    kind = getattr(errors, attempt.error, errors.ProviderError)
    if attempt.until is not None and attempt.until > now and not attempt.needs_owner:
        return f"{kind.summary} until {clock(attempt.until, now)}"
    if not attempt.detail or attempt.detail == kind.summary:
        return kind.summary
    return f"{kind.summary} ({attempt.detail.translate(_INNER)})"


def clock(at: float, now: float) -> str:
    """A time of day on this machine, with the date where that is not today."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%d %b %H:%M", then)


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

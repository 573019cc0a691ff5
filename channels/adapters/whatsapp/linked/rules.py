"""What to do at each way in which a connection to WhatsApp ends. Pure; times are seconds.

The library connects again by itself after a plain loss; what it gives up on is decided here:
https://pkg.go.dev/go.mau.fi/whatsmeow/types/events#PermanentDisconnect
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from enum import Enum, auto

from channels.adapters.whatsapp.linked.protocol import Link, State

LOGIN = "`nanobot login whatsapp`"
INSTALL = f"`{sys.executable} -m pip install neonize segno`"
UPGRADE = f"`{sys.executable} -m pip install --upgrade neonize`, then restart nanobot"

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 300.0
_HEALTHY = 60.0
"""A connection that held this long starts the back-off afresh."""
_PATIENCE = 90.0
"""How long the library may try by itself before its process is started anew."""
_REFUSED_WAIT = 300.0
"""A server that refuses is not asked often: that looks like an attack and gets numbers banned."""
_BAN_UNKNOWN = 3600.0
_BAN_GRACE = 60.0
_CRASHES_TOLD = 5

_LOGGED_OUT = {"LOGGED_OUT", "MAIN_DEVICE_GONE", "UNKNOWN_LOGOUT"}
_SERVERS_OWN = {"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "EXPERIMENTAL"}
_OUTDATED = {"CLIENT_OUTDATED", "BAD_USER_AGENT"}
_WHY = {
    "LOGGED_OUT": "somebody removed it under Linked devices on the phone",
    "MAIN_DEVICE_GONE": "the phone's own account is logged out, moved to another phone, or locked by WhatsApp",
    "UNKNOWN_LOGOUT": "WhatsApp ended it without a reason, which often means that the number is banned",
}


class Then(Enum):
    GO_ON = auto()
    """Leave the child alone until `until`."""
    RESTART = auto()
    """End the child; a new one may start at `until`."""
    STOP = auto()
    """End the child; none is started until this device is linked anew."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the connection stands. `tell`: only the owner can mend it. `until` is on the monotonic clock, or infinite."""

    then: Then = Then.RESTART
    up: bool = False
    detail: str = "is starting"
    tell: bool = False
    until: float = 0.0
    failures: int = 0
    """Restarts since it last held."""
    since: float = 0.0
    """When it came up."""
    paired: bool = False
    """Linked a moment ago: WhatsApp ends the connection once, and the next one counts."""
    lost: bool = False
    """The connection was there, or can't be made: nothing is worth waiting for."""


def after(standing: Standing, link: Link, now: float) -> Standing:
    """How it stands after the child said this."""
    match link.state:
        case State.CONNECTED:
            return Standing(
                Then.GO_ON, up=True, detail="", until=float("inf"), failures=standing.failures, since=now
            )
        case State.PAIRED:
            return Standing(Then.GO_ON, detail="linked; connecting", until=now + _PATIENCE, paired=True)
        case State.DISCONNECTED | State.STALLED:
            if not standing.up and standing.then is Then.GO_ON:
                return standing
            words = "lost the connection" if link.state is State.DISCONNECTED else "WhatsApp does not answer"
            held = standing.up and now - standing.since >= _HEALTHY
            return Standing(
                Then.GO_ON,
                lost=True,
                detail=f"{words}; connecting again",
                until=now + _PATIENCE,
                failures=0 if held else standing.failures,
                paired=standing.paired,
            )
        case State.UNREACHABLE:
            return again(standing, f"WhatsApp can't be reached: {link.reason or 'no connection'}", now)
        case State.STOPPED:
            return again(standing, f"the WhatsApp library gave up: {link.reason}", now)
        case State.IN_USE:
            return again(
                standing, "another nanobot holds the WhatsApp link in this data folder; stop it", now
            )
        case _:
            return _ended(standing, link, now)


def _ended(standing: Standing, link: Link, now: float) -> Standing:
    """After what never mends itself."""
    match link.state:
        case State.LOGGED_OUT:
            return _stopped(
                f"WhatsApp has unlinked this device: {_WHY.get(link.reason, _WHY['UNKNOWN_LOGOUT'])}; "
                f"{LOGIN} links it again"
            )
        case State.REPLACED:
            return _stopped(
                "another program uses this device's link to WhatsApp, such as a second nanobot on a copy of the data "
                "folder; stop that one, then restart nanobot"
            )
        case State.BANNED:
            return _banned(link, now)
        case State.OUTDATED:
            return _stopped(f"WhatsApp no longer accepts this version of the library: {UPGRADE}")
        case State.REFUSED:
            return _refused(standing, link, now)
        case State.NO_LIBRARY:
            return _stopped(f"the library for WhatsApp can't be used ({link.reason}): {INSTALL}")
        case State.PAIRING_FAILED:
            return _stopped(f"WhatsApp did not link this device ({link.reason}): try {LOGIN} again")
        case _:
            return _stopped(f"no phone is linked: {LOGIN} links one")


def _refused(standing: Standing, link: Link, now: float) -> Standing:
    """A refused connection, by its reason: https://pkg.go.dev/go.mau.fi/whatsmeow/types/events#ConnectFailureReason"""
    if link.reason in _LOGGED_OUT:
        return after(standing, Link(State.LOGGED_OUT, link.reason), now)
    if link.reason in _OUTDATED:
        return after(standing, Link(State.OUTDATED), now)
    if link.reason == "TEMP_BANNED":
        return after(standing, Link(State.BANNED), now)
    words = f"WhatsApp refuses the connection ({link.reason or 'no reason given'})"
    if link.reason in _SERVERS_OWN:
        return again(standing, words, now)
    return again(standing, words, now, least=_REFUSED_WAIT)


def _banned(link: Link, now: float) -> Standing:
    wait = link.seconds or _BAN_UNKNOWN
    words = f" ({link.reason.lower().replace('_', ' ')})" if link.reason else ""
    return Standing(
        Then.RESTART,
        detail=f"WhatsApp has banned this number{words} for {_span(wait)}; until then nothing is tried. "
        "The app on the phone says more and lets you ask for a review",
        tell=True,
        until=now + wait + _BAN_GRACE,
    )


def exited(standing: Standing, why: str, now: float) -> Standing:
    """How it stands after the child ended; `why` in words where nobody asked it to."""
    if standing.then is not Then.GO_ON:
        return standing
    if standing.paired:  # the one restart after pairing
        return replace(standing, then=Then.RESTART, until=now, paired=False, detail="linked; starting again")
    if standing.up and now - standing.since >= _HEALTHY:
        standing = replace(standing, failures=0)
    found = again(standing, why, now)
    return replace(found, tell=found.failures >= _CRASHES_TOLD)


def overdue(standing: Standing, now: float) -> Standing:
    """How it stands when the library has tried for as long as it may."""
    if standing.then is not Then.GO_ON or now < standing.until:
        return standing
    return again(standing, standing.detail, now)


def started(standing: Standing, now: float) -> Standing:
    """How it stands with a new child."""
    return replace(standing, then=Then.GO_ON, up=False, until=now + _PATIENCE, tell=False, lost=False)


def again(standing: Standing, detail: str, now: float, *, least: float = 0.0) -> Standing:
    """Try anew, after a wait that doubles."""
    wait = max(least, min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(standing.failures, 16)))
    return Standing(Then.RESTART, detail=detail, until=now + wait, failures=standing.failures + 1)


def _stopped(detail: str) -> Standing:
    return Standing(Then.STOP, detail=detail, tell=True, until=float("inf"))


def _span(seconds: float) -> str:
    hours = seconds / 3600
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} hours" if hours >= 2 else f"{seconds / 60:.0f} minutes"

"""Mail that must not be answered, bounces of our own, and how often anybody is answered. Pure.

The rules are those of https://www.rfc-editor.org/rfc/rfc3834 and of what programs send in practice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from channels.adapters.email.mail import Mail


@dataclass(frozen=True, slots=True)
class Failure:
    """A mail of ours that didn't arrive, or not yet.

    `message_id` is its Message-ID as the bounce names it, `status` the enhanced code (5.1.1) or "", `detail` one line
    for a person. Not `permanent` with `delayed`: the server goes on trying.
    """

    message_id: str
    recipient: str
    permanent: bool
    delayed: bool
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many answers to one correspondent within so many seconds."""

    most: int = 20
    seconds: float = 3600.0


def automatic(mail: Mail, own: Collection[str]) -> str:
    """Why a mail was written by a program or goes round in a loop; "" for one that a person wrote. `own` are the
    bot's addresses, in lower case.
    """
    raise NotImplementedError


def bounces(raw: bytes) -> tuple[Failure, ...]:
    """What a delivery report (RFC 3464, or the plain text of an old server) says; nothing for any other mail. What
    was relayed or delivered is no failure. Never raises.
    """
    raise NotImplementedError


def too_often(answered: Sequence[float], now: float, rate: Rate) -> bool:
    """Whether one answer more would be too many; `answered` are the times, in epoch seconds, of earlier ones."""
    raise NotImplementedError

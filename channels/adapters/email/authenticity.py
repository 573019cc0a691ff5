"""Whether the owner's own mail server found that a mail comes from whom it says. Pure.

Only what that server itself stamped counts: https://www.rfc-editor.org/rfc/rfc8601
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from channels.adapters.email.headers import Headers

NAMELESS = "-"
"""The `authserv_id` of servers that leave their name out of the header, as Microsoft's do."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` says in one line what proved the sender, or why nothing did."""

    authentic: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Learned:
    """The name a server stamps with. `sure`: the server that received the mails has the same organisation's name."""

    authserv_id: str
    sure: bool


def verdict(headers: Headers, sender: str, authserv_id: str) -> Verdict:
    """Of a mail's header, its one From address and the name that the owner's server stamps with."""
    raise NotImplementedError


def learn(mails: Iterable[Headers]) -> Learned | None:
    """The name in the topmost stamp of mails that the owner's server delivered; None where there is none, or where
    they differ.
    """
    raise NotImplementedError

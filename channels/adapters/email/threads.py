"""Which mails belong together: thread keys, our own Message-IDs, References and subjects. Pure.

Our Message-IDs are `<nanobot.ROW.THREAD.TAG@domain>`: the outbox row's number, the thread's key, and a tag that only
the holder of the secret can make, so that a reply finds its thread even if its References were lost, and a bounce is
believed only for what was really sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnId:
    """What a Message-ID of ours says; `thread` is the thread's key."""

    row: int
    thread: str


def key_of(message_id: str) -> str:
    """The key of the thread that starts with this mail: 16 hexadecimal digits."""
    raise NotImplementedError


def own_id(row: int, thread: str, domain: str, secret: bytes) -> str:
    """The Message-ID, in angle brackets, of an outbox row: always the same. With thread "" it begins a thread."""
    raise NotImplementedError


def read_own_id(message_id: str, secret: bytes) -> OwnId | None:
    """None for an id that we didn't make. The domain doesn't matter: it may have been changed since."""
    raise NotImplementedError


def thread_of(message_id: str, in_reply_to: str, references: Sequence[str], secret: bytes) -> str:
    """The key of the thread a mail belongs to: that of our newest mail which it names, else that of its root
    (the first of References, In-Reply-To, or itself).
    """
    raise NotImplementedError


def reply_subject(subject: str) -> str:
    """One "Re: " before what is left of a subject when its own, in any language, are taken off."""
    raise NotImplementedError


def reply_references(message_id: str, in_reply_to: str, references: Sequence[str]) -> tuple[str, ...]:
    """The References of an answer to this mail (RFC 5322, 3.6.4): its own and itself; the root and the newest of many."""
    raise NotImplementedError

"""Which mails belong together: thread keys, our own Message-IDs, References and subjects. Pure.

Our Message-IDs are `<nanobot.ROW.THREAD.TAG@domain>`: the outbox row's number with more digits, the thread's key, and
a tag that only the holder of the secret can make, so that a reply finds its thread even if its References were lost,
and a bounce is believed only for what was really sent.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from channels.adapters.email.headers import is_made_up


@dataclass(frozen=True, slots=True)
class OwnId:
    """What a Message-ID of ours says; `thread` is the thread's key."""

    row: int
    thread: str


_OWN = re.compile(r"<nanobot\.([0-9]{1,18})\.([0-9a-f]{16}|new)\.([0-9a-f]{16})@[^@<>\s]+>")
_BEGINS = "new"
_REPLY = re.compile(
    r"\s*(?:(?:re|aw|antw|antwort|sv|r|rif|vs|odp|ynt|res|rsp|atb|ση|回复|回覆|答复|返信)"
    r"(?:\[\d+\]|\^\d+|\(\d+\))?\s*[:\uff1a]\s*)+",
    re.IGNORECASE,
)
_SUBJECT = 250
_MOST_REFERENCES = 20
"""Each has at most five hundred characters, so that no server finds the field too long."""


def key_of(message_id: str) -> str:
    """The key of the thread that starts with this mail: 16 hexadecimal digits."""
    return hashlib.sha256(message_id.strip().encode("utf-8", "replace")).hexdigest()[:16]


def own_id(row: int, thread: str, domain: str, secret: bytes) -> str:
    """The Message-ID, in angle brackets, of an outbox row: always the same. With thread "" it begins a thread."""
    thread = thread or _BEGINS
    return f"<nanobot.{row}.{thread}.{_tag(row, thread, secret)}@{domain}>"


def read_own_id(message_id: str, secret: bytes) -> OwnId | None:
    """None for an id that we didn't make. The domain doesn't matter: it may have been changed since."""
    match = _OWN.fullmatch(message_id.strip())
    if match is None:
        return None
    row, thread = int(match[1]), match[2]
    if not hmac.compare_digest(match[3], _tag(row, thread, secret)):
        return None
    return OwnId(row, key_of(message_id) if thread == _BEGINS else thread)


def _tag(row: int, thread: str, secret: bytes) -> str:
    return hmac.new(secret, f"{row}.{thread}".encode(), hashlib.sha256).hexdigest()[:16]


def thread_of(message_id: str, in_reply_to: str, references: Sequence[str], secret: bytes) -> str:
    """The key of the thread a mail belongs to: that of our newest mail which it names, else that of its root
    (the first of References, In-Reply-To, or itself).
    """
    for named in (in_reply_to, *reversed(references)):
        if own := read_own_id(named, secret):
            return own.thread
    return key_of(next(filter(None, (*references[:1], in_reply_to, message_id)), ""))


def reply_subject(subject: str) -> str:
    """One "Re: " before what is left of a subject when its own, in any language, are taken off."""
    match = _REPLY.match(subject)
    rest = " ".join(subject[match.end() if match else 0 :].split())
    return f"Re: {rest[:_SUBJECT] or 'your mail'}"


def reply_references(message_id: str, in_reply_to: str, references: Sequence[str]) -> tuple[str, ...]:
    """The References of an answer to this mail (RFC 5322, 3.6.4): its own and itself, of many the root and the newest.

    A mail that came without a Message-ID can't be referred to.
    """
    ids = dict.fromkeys(
        one for one in (*(references or (in_reply_to,)), message_id) if one and not is_made_up(one)
    )
    root, *newer = ids or [""]
    return tuple(filter(None, (root, *newer[1 - _MOST_REFERENCES :])))

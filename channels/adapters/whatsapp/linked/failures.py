"""What the library's refusals mean. It gives words only, no codes, so that words are read here and nowhere else. Pure.

The words: https://github.com/tulir/whatsmeow/blob/main/errors.go
"""

from __future__ import annotations

import re

from channels.adapters.whatsapp.linked.protocol import Outcome

_WORDS: tuple[tuple[str, Outcome, str], ...] = (
    # Certainly not sent: it never left.
    (r"websocket not connected|client not found", Outcome.NOT_SENT, "not connected to WhatsApp"),
    (r"doesn't contain a device JID", Outcome.NOT_SENT, "no phone is linked"),
    (r"no LID found for", Outcome.REFUSED, "this number is not on WhatsApp"),
    (r"failed to get (user info|LID|group members|device list)", Outcome.NOT_SENT, ""),
    (r"failed to (get|refresh) media conn|failed to upload|upload failed", Outcome.NOT_SENT, ""),
    (r"not participating in that group|unknown server|user JID with no device", Outcome.REFUSED, ""),
    # The server's own refusals of a message: https://github.com/tulir/whatsmeow/blob/main/send.go
    (r"server returned error 429", Outcome.NOT_SENT, "WhatsApp asks to send less"),
    (r"server returned error 5\d\d", Outcome.NOT_SENT, ""),
    (r"server returned error 4\d\d", Outcome.REFUSED, ""),
    # Downloads.
    (
        r"download failed with status code (403|404|410)",
        Outcome.REFUSED,
        "the file is no longer on WhatsApp's servers",
    ),
    (r"download failed with status code", Outcome.NOT_SENT, ""),
    (r"invalid media hmac|hash of media|file too short|no url present|any attachments", Outcome.REFUSED, ""),
)


def outcome(words: str) -> tuple[Outcome, str]:
    """What became of a call that failed with these words, and a line for a person."""
    tidy = " ".join(words.split())[:160] or "no reason given"
    for pattern, found, detail in _WORDS:
        if re.search(pattern, tidy, re.IGNORECASE):
            return found, detail or f"WhatsApp: {tidy}"
    return Outcome.UNKNOWN, f"WhatsApp: {tidy}"

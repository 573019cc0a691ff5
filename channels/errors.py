"""How a delivery can fail. The class alone says what the outbox does next.

DeliveryError
├── NotSent      certainly not delivered: repeated, after `retry_after` seconds where the server says so
├── Unknown      the outcome is unknown: repeated until known, marked as a possible repeat
└── Refused      will never be accepted: recorded and shown, not repeated
"""

from __future__ import annotations


class ChannelError(Exception):
    """A channel can't be used as asked; its text is one line for a person and names the fix."""


class DeliveryError(Exception):
    """`detail` is one line for a person, free of secrets."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotSent(DeliveryError):
    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unknown(DeliveryError):
    """The request went out and no readable answer came back."""


class Refused(DeliveryError):
    """Blocked, chat gone, not allowed."""

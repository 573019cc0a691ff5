"""What can go wrong with speech."""

from __future__ import annotations

from bot.errors import BotError


class VoiceError(BotError):
    """Speech can't be written down, or a text not be spoken; one line for a person: why, and what to do."""


class Unreadable(VoiceError):
    """It is the recording's fault: nobody else can do it either."""

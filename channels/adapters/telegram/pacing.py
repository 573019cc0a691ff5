"""When a preview may be shown, so that answers never have to wait for previews. Pure; times are seconds."""

from __future__ import annotations

from channels.types import Address

_GROUP_SECONDS = 3.5
"""At most 20 messages a minute in a group, all its topics together: https://core.telegram.org/bots/faq"""

_PATIENCE = 5.0
"""How long a topic that was put off goes before the others; it may have finished meanwhile."""


class PreviewPace:
    """Spaces out the edits of a group, its topics in turn, and keeps quiet where Telegram asked for it."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}
        self._free_at: dict[str, float] = {}
        self._waiting: dict[Address, float] = {}

    def allows(self, address: Address, now: float, *, first: bool) -> bool:
        """Whether to show a preview now; the `first` one of an answer is not put off for the others."""
        if now < self._quiet_until.get(address.chat, 0.0):
            return False
        if not is_group(address):
            return True
        if not first and not self._has_its_turn(address, now):
            return False
        self._waiting.pop(address, None)
        self._free_at = {chat: at for chat, at in self._free_at.items() if at > now}
        self._free_at[address.chat] = now + _GROUP_SECONDS
        return True

    def quiet(self, address: Address, now: float, seconds: float) -> None:
        """Show nothing in this chat for so long."""
        self._quiet_until = {chat: until for chat, until in self._quiet_until.items() if until > now}
        self._quiet_until[address.chat] = now + seconds

    def _has_its_turn(self, address: Address, now: float) -> bool:
        self._waiting = {who: since for who, since in self._waiting.items() if now - since < _PATIENCE}
        since = self._waiting.setdefault(address, now)
        ahead = any(who.chat == address.chat and earlier < since for who, earlier in self._waiting.items())
        return now >= self._free_at.get(address.chat, 0.0) and not ahead


def is_group(address: Address) -> bool:
    """A group's number is negative: https://core.telegram.org/bots/api#chat"""
    return address.chat.startswith("-")

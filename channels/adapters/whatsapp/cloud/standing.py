"""How the channel stands: what is wrong at the moment, told to the owner once if only they can mend it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class Trouble(Enum):
    LISTENING = "listening for deliveries"
    OWNER = "what only the owner can mend"
    STORING = "storing"
    REACH = "reaching WhatsApp"


class Standing:
    def __init__(self, tell: Callable[[str], None]) -> None:
        self.listening = False
        self._tell = tell
        self._troubles: dict[Trouble, str] = {}

    @property
    def up(self) -> bool:
        return self.listening and not self._troubles

    @property
    def detail(self) -> str:
        """The gravest trouble; "" where there is none."""
        found = next((self._troubles[one] for one in Trouble if one in self._troubles), "")
        return found or ("" if self.listening else "is starting")

    def troubled(self, trouble: Trouble) -> bool:
        return trouble in self._troubles

    def broken(self, trouble: Trouble, detail: str, *, tell: bool = False) -> bool:
        """Returns whether it is news."""
        news = self._troubles.get(trouble) != detail
        self._troubles[trouble] = detail
        if tell and news:
            self._tell(f"WhatsApp: {detail}" if not detail.startswith("WhatsApp") else detail)
        return news

    def mended(self, *troubles: Trouble) -> None:
        for trouble in troubles:
            self._troubles.pop(trouble, None)

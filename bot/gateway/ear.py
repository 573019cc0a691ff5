"""What channels tell the owner: one line of what only they can mend, on a channel that works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from bot.desk import ToolError
from bot.errors import StorageError
from bot.gateway.people import People
from bot.gateway.post import PostOffice

log = logging.getLogger(__name__)

_AGAIN = 86_400.0
"""Seconds for which the same line is not said again."""
_LATER = 30.0
"""Seconds after which a line is passed on that could not be stored."""


class OwnersEar:
    """Takes lines at any time, from channels that are made before there is a way to anybody."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}
        self._lines: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def of(self, channel: str) -> Callable[[str], None]:
        """The way by which one channel tells."""
        return partial(self._tell, channel)

    def _tell(self, channel: str, text: str) -> None:
        now = self._clock()
        if now - self._told.get(text, -_AGAIN) >= _AGAIN:
            self._told[text] = now
            log.warning("%s: %s", channel, text)
            self._lines.put_nowait((channel, text))

    async def pass_on(self, post: PostOffice, people: People) -> None:
        """Write to the owner what is told, for ever: by another channel than the one in trouble where there is one."""
        while True:
            channel, text = await self._lines.get()
            owner = people.owner.name
            try:
                ways = await post.channels(owner)
                way = next((one for one in ways if one not in (channel, "terminal")), "")
                await post.send(owner, f"⚠️ {text}", way)
            except StorageError:
                # Often the very trouble that is told.
                self._lines.put_nowait((channel, text))
                await asyncio.sleep(_LATER)
            except ToolError as error:
                log.info("the owner could not be told: %s", error)

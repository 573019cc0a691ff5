"""Shows an answer while it is being made: "typing", then its text, edited at a rate that the channel bears."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.errors import StorageError
from bot.supervisor import Supervisor
from bot.text import valid
from channels.base import Channel
from channels.errors import DeliveryError, NotSent
from channels.types import Address

log = logging.getLogger(__name__)

_WORKING_AFTER = 0.5
_WORKING_EVERY = 4.5
"""Telegram shows "typing" for five seconds (Bot API, sendChatAction)."""
_CLOSE_SECONDS = 5.0
_PATIENCE = 25.0
"""Seconds after which "typing" alone looks like a dead bot."""
UNFINISHED = "▌"
"""Ends an answer that is being made: one that a crash leaves behind is told from the answer itself."""
_STILL_WORKING = "⏳ Still working on it …"


class Preview:
    """`first(ref)` makes durable that a preview stands in the channel; `ref` is its reference, "" while none does."""

    def __init__(
        self, channel: Channel, address: Address, first: Callable[[str], Awaitable[None]], ref: str
    ) -> None:
        self.ref = ref
        self.reply_to = ""
        """Reference of the message that it answers."""
        self._channel = channel
        self._address = address
        self._first = first
        self.text = ""
        self._shown = ""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._in_flight = False
        self._given_up = False

    def start(self, supervisor: Supervisor) -> None:
        self._task = supervisor.spawn(f"preview {self._address}", self._run())

    def add(self, text: str) -> None:
        self.text += text
        self._changed.set()

    def restart(self) -> None:
        """What was shown is void; it stays visible until there is text to replace it."""
        self.text = ""

    async def close(self) -> None:
        """Show nothing more. An update on its way is awaited, since the final text must come after it."""
        task, self._task = self._task, None
        if task is None:
            return
        self._changed.set()
        if not task.done() and not self._in_flight:
            task.cancel()
        await asyncio.wait([task], timeout=_CLOSE_SECONDS)
        task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        interval = self._channel.preview_interval
        working_at = loop.time() + _WORKING_AFTER
        patience_at = loop.time() + _PATIENCE
        show_at = float("inf")
        while True:
            waiting = self.text not in ("", self._shown) and not self._given_up
            await self._wait(min(working_at, show_at if waiting else float("inf")) - loop.time())
            now = loop.time()
            if now >= working_at:
                await self._channel.working(self._address)
                working_at = now + _WORKING_EVERY
            if not interval or self._given_up:
                continue
            if not self.text and not self.ref and now >= patience_at:
                patience_at = loop.time() + await self._show(_STILL_WORKING) + _PATIENCE
            elif self.text not in ("", self._shown):
                if show_at == float("inf"):
                    show_at = now + min(1.0, interval)
                if now >= show_at:
                    pause = await self._show(self.text)
                    show_at = loop.time() + max(interval, pause)
            if self._task is None:
                return

    async def _wait(self, seconds: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _show(self, text: str) -> float:
        """Show a text for now; returns how many seconds the channel asked us to hold off."""
        self._in_flight = True
        try:
            shown = text if text == _STILL_WORKING else f"{text} {UNFINISHED}"
            ref = await self._channel.preview(self._address, valid(shown), self.ref, self.reply_to)
            self._shown = text
            if ref and ref != self.ref:
                self.ref = ref
                await self._first(ref)
        except NotSent as error:
            return error.retry_after or 5.0
        except DeliveryError as error:
            # If it did arrive we can't replace it: one stray text is enough.
            self._given_up = True
            log.debug("preview to %s: %s", self._address, error)
        except StorageError as error:
            log.warning("the preview could not be recorded: %s", error)
        finally:
            self._in_flight = False
        return 0.0

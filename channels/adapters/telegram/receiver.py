"""Receives updates. The server forgets them once the offset moves, which it does only after they are stored."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from telegram import Bot, Update, User
from telegram.error import BadRequest, TelegramError

from channels.adapters.telegram.errors import FAILURES, Trouble, trouble
from channels.adapters.telegram.inbound import to_inbound
from channels.adapters.telegram.link import Link
from channels.adapters.telegram.request import BotRequest, FloodControl
from channels.base import Command
from channels.types import Inbound, Take

log = logging.getLogger(__name__)

_KINDS = ["message"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a poll waits for something to happen and any other call for its answer; the clock and its sleep."""

    long_poll: int = 30
    answer: float = 20.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic


class Receiver:
    """`polling` is the bot's own client for getUpdates; `wanted` says which messages to take."""

    def __init__(self, bot: Bot, polling: BotRequest, pace: Pace, wanted: Callable[[Inbound], bool]) -> None:
        self.link = Link(random.random)
        self.received_at: float | None = None
        self._bot = bot
        self._polling = polling
        self._pace = pace
        self._wanted = wanted
        self._me: User | None = None
        self._menu_set = False
        self._settled = False
        self._offset: int | None = None

    async def run(self, take: Take, commands: Sequence[Command]) -> None:
        """Receive until cancelled."""
        while True:
            try:
                me = await self._introduce(commands)
                updates = await self._updates()
            except FAILURES as error:
                self._settled = False
                await self._rest(error)
                continue
            self._settled = True
            self._worked()
            if updates:
                await self._hand_over(updates, me, take)

    async def _introduce(self, commands: Sequence[Command]) -> User:
        """Learn the bot's name, once, and set its menu of commands if it is another."""
        if self._me is None:
            self._me = await self._bot.get_me()
        if not self._menu_set:
            menu = [(command.name, command.help) for command in commands]
            try:
                known = [
                    (command.command, command.description) for command in await self._bot.get_my_commands()
                ]
                if menu != known:
                    await self._bot.set_my_commands(menu)
            except BadRequest as error:
                log.warning("Telegram refused the menu of commands: %s", error)
            self._menu_set = True
        return self._me

    async def _updates(self) -> Sequence[Update]:
        # Whether it works at all is worth knowing at once; a long poll tells when something happens.
        wait = self._pace.long_poll if self._settled else 0
        try:
            return await self._bot.get_updates(offset=self._offset, timeout=wait, allowed_updates=_KINDS)
        except TelegramError:
            raise
        except FAILURES:
            return await self._readable_updates()

    async def _readable_updates(self) -> Sequence[Update]:
        """One update that the library can't read must not hold up all that follow."""
        address = f"{self._bot.base_url}/getUpdates?timeout=0&offset={self._offset or 0}"
        found: Any = await self._polling.post(address)
        return [self._read(raw) for raw in found]

    def _read(self, raw: dict[str, Any]) -> Update:
        try:
            return Update.de_json(raw, self._bot)
        except FAILURES as error:
            log.error("a Telegram update can't be read and is left out: %r", error)
            return Update(int(raw["update_id"]))

    async def _hand_over(self, updates: Sequence[Update], me: User, take: Take) -> None:
        """Offer the same messages until they are stored; only then let the server forget them."""
        read = (to_inbound(update, me) for update in updates)
        messages = [message for message in read if message is not None and self._wanted(message)]
        while messages:
            try:
                await take(messages)
            except Exception as error:  # by contract, whatever it raises means "not stored"
                detail = f"messages can't be stored, so they stay with Telegram: {error}"
                wait, news = self.link.failed(Trouble.STORAGE, detail, self._pace.monotonic())
                if news:
                    log.error("Telegram: %s", news, exc_info=error)
                await self._pace.sleep(wait)
            else:
                self.received_at = time.time()
                self._worked()
                break
        self._offset = updates[-1].update_id + 1

    def _worked(self) -> None:
        if news := self.link.worked(self._pace.monotonic()):
            name = self._me.username if self._me else ""
            log.info("Telegram: %s as @%s", news, name)

    async def _rest(self, error: Exception) -> None:
        kind, detail = trouble(error)
        wait, news = self.link.failed(kind, detail, self._pace.monotonic())
        if news:
            log.warning("%s", news)
        await self._pace.sleep(max(wait, error.seconds) if isinstance(error, FloodControl) else wait)

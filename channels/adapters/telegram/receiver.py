"""Receives updates by asking. The server forgets them once the offset moves, and that moves once they are stored."""

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

from channels.adapters.telegram.errors import FAILURES, NEEDS_OWNER, Trouble, trouble
from channels.adapters.telegram.link import Link
from channels.adapters.telegram.reception import KINDS, Reception
from channels.adapters.telegram.request import BotRequest, FloodControl
from channels.base import Host
from channels.types import Take

log = logging.getLogger(__name__)

WEBHOOK_NOTE = "webhook"
"""The note that we had Telegram deliver to a webhook."""
_LONGEST_REST = 600.0
"""Seconds after which it is asked anew, however long a pause the server wants: who rests longer seems to hang."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a poll waits for something to happen and any other call for its answer, and between two looks at a
    webhook; the clock and its sleep.
    """

    long_poll: int = 30
    answer: float = 20.0
    look: float = 300.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic


class Account:
    """The bot's account, and how it stands with the server: what polling and a webhook have in common."""

    def __init__(self, bot: Bot, host: Host, pace: Pace) -> None:
        self.link = Link(random.random)
        self.bot = bot
        self.host = host
        self.pace = pace
        self._me: User | None = None
        self._menu_set = False

    async def introduce(self) -> User:
        """Learn the bot's name, once, and set its menu of commands if it is another."""
        if self._me is None:
            self._me = await self.bot.get_me()
        if not self._menu_set:
            menu = [(command.name, command.help) for command in self.host.commands]
            try:
                known = [
                    (command.command, command.description) for command in await self.bot.get_my_commands()
                ]
                if menu != known:
                    await self.bot.set_my_commands(menu)
            except BadRequest as error:
                log.warning("Telegram refused the menu of commands: %s", error)
            self._menu_set = True
        return self._me

    def worked(self) -> None:
        if news := self.link.worked(self.pace.monotonic()):
            log.info("Telegram: %s as @%s", news, self._me.username if self._me else "")

    def failed(self, kind: Trouble, detail: str) -> float:
        """How long to rest. The owner hears of what only they can mend, unless it goes by at once."""
        wait, news = self.link.failed(kind, detail, self.pace.monotonic())
        if news:
            log.warning("%s", news)
        if kind in NEEDS_OWNER and self.link.failures == 2:
            self.host.tell(f"Telegram: {detail}")
        return wait

    async def rest(self, error: Exception) -> None:
        kind, detail = trouble(error)
        wait = self.failed(kind, detail)
        pause = min(error.seconds, _LONGEST_REST) if isinstance(error, FloodControl) else 0.0
        await self.pace.sleep(max(wait, pause))

    def not_stored(self, error: Exception) -> float:
        """Log it if it is news; returns how long to wait before the same messages are offered again."""
        detail = f"messages can't be stored, so they stay with Telegram: {error}"
        wait, news = self.link.failed(Trouble.STORAGE, detail, self.pace.monotonic())
        log.log(logging.ERROR if news else logging.DEBUG, "Telegram: %s", detail, exc_info=error)
        return wait

    def read(self, raw: dict[str, Any]) -> Update:
        """An update that the library can't read must not hold up all that follow."""
        try:
            return Update.de_json(raw, self.bot)
        except FAILURES as error:
            log.error("a Telegram update can't be read and is left out: %r", error)
            return Update(int(raw["update_id"]))


class Poller:
    """`polling` is the bot's own client for getUpdates."""

    def __init__(self, account: Account, polling: BotRequest, reception: Reception) -> None:
        self._account = account
        self._polling = polling
        self._reception = reception
        self._settled = False
        self._offset: int | None = None
        self._alone = False

    async def run(self, take: Take) -> None:
        """Receive until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    me = await self._account.introduce()
                    await self._leave_webhook()
                    updates = await self._updates()
                except FAILURES as error:
                    self._settled = False
                    await self._account.rest(error)
                    continue
                self._settled = True
                self._account.worked()
                if updates:
                    await self._hand_over(updates, me, take)
                for update in updates:
                    if update.callback_query is not None:
                        group.create_task(self._reception.finish(update))

    async def _leave_webhook(self) -> None:
        """Take back a webhook that was set by us; another program's is left alone, and told."""
        if self._alone:
            return
        store = self._account.host.store
        if (note := await store.load(WEBHOOK_NOTE)) is not None:
            known = await self._account.bot.get_webhook_info()
            if known.url == note.get("url"):
                await self._account.bot.delete_webhook()
            await store.delete(WEBHOOK_NOTE)
        self._alone = True

    async def _updates(self) -> Sequence[Update]:
        # Whether it works at all is worth knowing at once; a long poll tells when something happens.
        wait = self._account.pace.long_poll if self._settled else 0
        try:
            return await self._account.bot.get_updates(
                offset=self._offset, timeout=wait, allowed_updates=KINDS
            )
        except TelegramError:
            raise
        except FAILURES:
            return await self._readable_updates()

    async def _readable_updates(self) -> Sequence[Update]:
        address = f"{self._account.bot.base_url}/getUpdates?timeout=0&offset={self._offset or 0}"
        found: Any = await self._polling.post(address)
        return [self._account.read(raw) for raw in found]

    async def _hand_over(self, updates: Sequence[Update], me: User, take: Take) -> None:
        """Offer the same messages until they are stored; only then let the server forget them."""
        while True:
            try:
                await self._reception.take(updates, me, take)
            except Exception as error:  # noqa: BLE001 -- by contract, whatever it raises means "not stored"; it is logged
                await self._account.pace.sleep(self._account.not_stored(error))
            else:
                self._account.worked()
                break
        self._offset = updates[-1].update_id + 1

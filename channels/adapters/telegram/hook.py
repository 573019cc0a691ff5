"""Receives updates by a webhook: Telegram delivers each until it is answered with 200, which it is once stored.

https://core.telegram.org/bots/api#setwebhook
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Mapping

from telegram import Update, User

from channels.adapters.telegram.errors import FAILURES, Trouble
from channels.adapters.telegram.examine import DELIVERY_FIX, delivery_failure
from channels.adapters.telegram.listener import Answer, listening
from channels.adapters.telegram.receiver import WEBHOOK_NOTE, Account
from channels.adapters.telegram.reception import KINDS, Reception
from channels.adapters.telegram.settings import TelegramSettings
from channels.types import Take

log = logging.getLogger(__name__)

_SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 -- a header's name
_TAKEN, _NOT_ASKED_FOR, _UNREADABLE, _LATER = 200, 403, 400, 503


class Hook:
    def __init__(self, account: Account, settings: TelegramSettings, reception: Reception) -> None:
        self._account = account
        self._settings = settings
        self._reception = reception
        self._order = asyncio.Lock()

    async def run(self, take: Take) -> None:
        """Receive until cancelled; what comes at other times stays with Telegram for a day."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    me = await self._account.introduce()
                    async with listening(
                        self._settings.listen, self._settings.webhook_path, self._answer(me, take, group)
                    ):
                        await self._keep_set()
                except FAILURES as error:
                    await self._account.rest(error)
                except OSError as error:
                    detail = (
                        f"can't listen on webhook_listen = {self._settings.webhook_listen}: {error.strerror}"
                    )
                    await self._account.pace.sleep(self._account.failed(Trouble.LISTENER, detail))

    def _answer(self, me: User, take: Take, group: asyncio.TaskGroup) -> Answer:
        async def answer(headers: Mapping[str, str], body: bytes) -> int:
            update = self._read(headers, body)
            if isinstance(update, int):
                return update
            status = await self._store(update, me, take)
            if status == _TAKEN and update.callback_query is not None:
                group.create_task(self._reception.finish(update))
            return status

        return answer

    def _read(self, headers: Mapping[str, str], body: bytes) -> Update | int:
        """The update, or the status that says why there is none. Nobody but Telegram knows the secret."""
        shown = headers.get(_SECRET_HEADER, "").encode("utf-8", "replace")
        if not hmac.compare_digest(shown, self._settings.webhook_secret.encode()):
            return _NOT_ASKED_FOR
        try:
            return self._account.read(json.loads(body))
        except FAILURES:
            return _UNREADABLE

    async def _store(self, update: Update, me: User, take: Take) -> int:
        async with self._order:
            try:
                await self._reception.take([update], me, take)
            except Exception as error:  # noqa: BLE001 -- by contract, whatever it raises means "not stored"; it is logged
                self._account.not_stored(error)
                return _LATER
        self._account.worked()
        return _TAKEN

    async def _keep_set(self) -> None:
        """Set the webhook, and look now and then whether it is still ours and gets through."""
        await self._account.host.store.save(WEBHOOK_NOTE, {"url": self._settings.webhook_url})
        ours = False
        while True:
            try:
                if not ours:
                    await self._set()
                    self._account.worked()
                await self._account.pace.sleep(self._account.pace.look)
                ours = await self._look()
            except FAILURES as error:
                await self._account.rest(error)

    async def _set(self) -> None:
        await self._account.bot.set_webhook(
            self._settings.webhook_url,
            max_connections=1,  # keeps the order of messages
            allowed_updates=KINDS,
            secret_token=self._settings.webhook_secret,
        )

    async def _look(self) -> bool:
        known = await self._account.bot.get_webhook_info()
        if known.url != self._settings.webhook_url:
            log.warning("Telegram: another program changed the webhook; it is set again")
            return False
        if failure := delivery_failure(known, time.time()):
            self._account.failed(Trouble.DELIVERY, f"{failure}; {DELIVERY_FIX}")
        else:
            self._account.worked()
        return True

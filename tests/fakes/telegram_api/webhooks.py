"""Delivers updates to a webhook, one after the other, each until it is answered with 200.

https://core.telegram.org/bots/api#setwebhook
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from .updates import UpdateQueue

AGAIN = 0.02
"""Seconds until a refused update comes again; the real server waits longer."""


@dataclass(slots=True)
class Delivery:
    """One update as it was delivered; `status` 0 where nobody answered."""

    body: str
    headers: dict[str, str]
    status: int


@dataclass(slots=True)
class Webhooks:
    """`target` is where what is public arrives on this machine; without it nobody answers."""

    updates: UpdateQueue
    target: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    """What getWebhookInfo tells of the webhook, while one is set."""
    on_change: Callable[[], None] = lambda: None
    _secret: str = ""
    _task: asyncio.Task[None] | None = None

    def set(self, url: str, secret: str, max_connections: int) -> None:
        self.info = {"url": url, "max_connections": max_connections}
        self._secret = secret
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._deliver())

    def remove(self) -> None:
        self.info = {}

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _deliver(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            while True:
                first = self.updates.first() if self.info else None
                if first is None:
                    await asyncio.sleep(AGAIN)
                    continue
                update_id, text = first
                delivery = await self._post(client, text)
                if delivery.status == httpx.codes.OK:
                    self.updates.drop(update_id)
                else:
                    self.info["last_error_date"] = int(time.time())
                    self.info["last_error_message"] = _error(delivery.status)
                self.deliveries.append(delivery)
                self.on_change()
                if delivery.status != httpx.codes.OK:
                    await asyncio.sleep(AGAIN)

    async def _post(self, client: httpx.AsyncClient, text: str) -> Delivery:
        headers = {"content-type": "application/json"}
        if self._secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self._secret
        if not self.target:
            return Delivery(text, headers, 0)
        try:
            response = await client.post(self.target, content=text.encode(), headers=headers)
        except httpx.HTTPError:
            return Delivery(text, headers, 0)
        return Delivery(text, headers, response.status_code)


def _error(status: int) -> str:
    if not status:
        return "Connection refused"
    return f"Wrong response from the webhook: {status} {httpx.codes.get_reason_phrase(status)}"

"""The channel: listens for what Meta delivers, and sends through its Graph API."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from channels.adapters.whatsapp import common
from channels.adapters.whatsapp.cloud import media
from channels.adapters.whatsapp.cloud.failures import GraphError
from channels.adapters.whatsapp.cloud.graph import Graph
from channels.adapters.whatsapp.cloud.notes import Notes
from channels.adapters.whatsapp.cloud.reception import Reception
from channels.adapters.whatsapp.cloud.rest import NUMBER
from channels.adapters.whatsapp.cloud.sending import Clocks, Sending
from channels.adapters.whatsapp.cloud.standing import Standing, Trouble
from channels.adapters.whatsapp.cloud.webhook import BOUNDS, application
from channels.adapters.whatsapp.settings import WhatsAppSettings
from channels.base import Host
from channels.errors import DeliveryError
from channels.types import Address, Attachment, ChannelStatus, Outbound, Receipt, Report, Take
from channels.webhook import listening

log = logging.getLogger(__name__)

_TYPING_SECONDS = 20.0
"""Between two signs of typing for the same message: WhatsApp shows one for 25."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks whether the token is still good, when all is well and when it is not; how many WhatsApp
    takes at most to tell of what was sent; the clocks.
    """

    look: float = 600.0
    look_again: float = 60.0
    told_after: float = 3.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


class CloudChannel:
    """WhatsApp through Meta's Cloud API. Nothing sent there can be edited, so that it has no previews."""

    kind = "whatsapp"
    preview_interval = 0.0
    patience = 0.0
    file_limit = media.FILE_LIMIT

    def __init__(self, settings: WhatsAppSettings, host: Host, *, pace: Pace | None = None) -> None:
        self.listens_at: tuple[str, int] | None = None
        """Where deliveries arrive; None while nothing listens."""
        self._settings = settings
        self._pace = pace or Pace()
        self._graph = Graph(settings)
        self._standing = Standing(host.tell)
        notes = Notes(host.store)
        clocks = Clocks(self._pace.clock, self._pace.monotonic, self._pace.told_after)
        self._sending = Sending(self._graph, notes, self._standing, host, clocks)
        self._sending.template = settings.template
        self._reception = Reception(settings, notes, self._sending, self._standing, host)
        self._typed: dict[str, tuple[str, float]] = {}
        self._sent_at: float | None = None
        self._beat: float | None = None
        self._refused = 0

    @property
    def status(self) -> ChannelStatus:
        standing = self._standing
        return ChannelStatus(
            standing.up,
            standing.detail,
            self._reception.received_at,
            self._sent_at,
            tuple(self._remarks()),
            self._beat,
        )

    def _remarks(self) -> Iterator[str]:
        if self._refused:
            yield (
                f"{self._refused} deliveries were refused, as their signature is not made with app_secret; if they "
                "come from Meta, correct it"
            )
        if other := self._reception.elsewhere:
            yield f"deliveries for phone number id {other} are left alone; if that is yours, correct phone_number_id"

    def _forged(self) -> None:
        if not self._refused:
            log.warning("WhatsApp: a delivery was refused, as its signature is not made with app_secret")
        self._refused += 1

    async def run(self, take: Take, report: Report) -> None:
        async with asyncio.TaskGroup() as group:

            async def deliver(payload: object) -> bool:
                taken = await self._reception.take(payload, take, report)
                for ref in taken or ():
                    group.create_task(self._mark(ref, typing=False))
                return taken is not None

            app = application(self._settings, deliver, self._forged)
            while True:
                await self._listen(app)
                await self._rest(self._pace.look_again)

    async def _listen(self, app: Starlette) -> None:
        """Take deliveries until cancelled, or until it is known why that can't be."""
        try:
            async with listening(app, *self._settings.listen, BOUNDS) as self.listens_at:
                self._standing.listening = True
                self._standing.mended(Trouble.LISTENING)
                await self._look_forever()
        except OSError as error:
            wanted = self._settings.webhook_listen
            detail = f"can't listen on webhook_listen = {wanted}: {error.strerror or error}"
            self._standing.broken(Trouble.LISTENING, detail, tell=True)
        finally:
            self._standing.listening, self.listens_at = False, None

    async def _look_forever(self) -> None:
        """See now and then whether the token is still good, rather than when the next answer is due."""
        while True:
            await self._look()
            await self._rest(self._pace.look if self._standing.up else self._pace.look_again)

    async def _look(self) -> None:
        try:
            await self._graph.line()
        except GraphError as error:
            self._sending.refused(NUMBER, error)
        except DeliveryError as error:
            self._standing.broken(Trouble.REACH, error.detail)
        else:
            self._sending.worked(NUMBER)

    async def _rest(self, seconds: float) -> None:
        self._beat = self._pace.monotonic()
        await self._pace.sleep(seconds)
        self._beat = self._pace.monotonic()

    async def aclose(self) -> None:
        await self._graph.aclose()

    async def fetch(self, attachment: Attachment, to: Path, most: int) -> None:
        await media.fetch(self._graph, attachment.ref, to, most)

    async def acknowledge(self, _address: Address, ref: str) -> None:
        await self._mark(ref, typing=False)

    async def working(self, address: Address) -> None:
        chat = address.chat
        ref, now = self._sending.latest.get(chat, ""), self._pace.monotonic()
        before, at = self._typed.get(chat, ("", 0.0))
        if not ref or (before == ref and now - at < _TYPING_SECONDS):
            return
        self._typed = {
            who: (one, since) for who, (one, since) in self._typed.items() if now - since < _TYPING_SECONDS
        }
        self._typed[chat] = ref, now
        await self._mark(ref, typing=True)

    async def _mark(self, ref: str, *, typing: bool) -> None:
        try:
            await self._graph.mark(ref, typing=typing)
        except (GraphError, DeliveryError) as error:
            log.debug("WhatsApp: a message was not marked as read: %s", error)

    def split(self, text: str) -> list[str]:
        return common.pieces(text)

    async def send(self, out: Outbound) -> Receipt:
        ref = await self._sending.send(out)
        self._sent_at = self._pace.clock()
        return Receipt(ref, settled=False)

    async def preview(self, _address: Address, _text: str, _ref: str, _reply_to: str = "") -> str:
        return ""

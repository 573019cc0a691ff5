"""Sends one piece: within the window, after the rests that WhatsApp asked for, once even where an answer was lost."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from channels.adapters.whatsapp.cloud import payloads
from channels.adapters.whatsapp.cloud.failures import GraphError, Meaning, Scope, delivery_error, meaning_of
from channels.adapters.whatsapp.cloud.flights import Flights
from channels.adapters.whatsapp.cloud.graph import Graph
from channels.adapters.whatsapp.cloud.media import Parcel, parcel
from channels.adapters.whatsapp.cloud.notes import WINDOW_SECONDS, Notes
from channels.adapters.whatsapp.cloud.payloads import BODY_LIMIT, Payload
from channels.adapters.whatsapp.cloud.reading import Said
from channels.adapters.whatsapp.cloud.rest import NUMBER, Rests
from channels.adapters.whatsapp.cloud.standing import Standing, Trouble
from channels.adapters.whatsapp.common import written
from channels.adapters.whatsapp.settings import Template
from channels.base import Host
from channels.errors import DeliveryError, NotSent, Unknown
from channels.markup import well_formed
from channels.types import Choice, File, Media, Outbound, Whose

log = logging.getLogger(__name__)

_CLOSED = (
    "they last wrote more than 24 hours ago, so that WhatsApp takes nothing for them until they write again"
)
_BAD_FIELD = (100, 131009)
_CLOSED_AGAIN = 6 * 3600.0
"""Seconds; that they write ends the wait."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Epoch seconds, and monotonic ones; the other as in `Flights`."""

    time: Callable[[], float]
    monotonic: Callable[[], float]
    told_after: float


class Sending:
    def __init__(self, graph: Graph, notes: Notes, standing: Standing, host: Host, clocks: Clocks) -> None:
        self.flights = Flights(clocks.monotonic, clocks.told_after)
        self.template: Template | None = None
        self.latest: dict[str, str] = {}
        """The last message that somebody wrote in each chat."""
        self._graph = graph
        self._notes = notes
        self._standing = standing
        self._host = host
        self._clocks = clocks
        self._rests = Rests()
        self._run = secrets.token_hex(4)

    async def send(self, out: Outbound) -> str:
        """Returns the message's reference. Raises DeliveryError."""
        chat = out.address.chat
        self._check_rest(chat)
        if (await self._notes.chat(chat)).shut(self._clocks.time()):
            raise await self.shut_out(chat)
        ref = await (self._send_file(out, out.file) if out.file is not None else self._write(out))
        await self._notes.remember(chat, ref, Said(Whose.BOT, out.text))
        await self._notes.keep(chat)
        return ref

    async def shut_out(self, chat: str) -> DeliveryError:
        """Ask somebody who has not written for a day to write, by the template; if there is none, tell the owner."""
        now = self._clocks.time()
        known = await self._notes.chat(chat)
        if self.template is None:
            self._host.tell(f"WhatsApp: something waits for {_named(chat)}: {_CLOSED}")
            return NotSent(_CLOSED, retry_after=_CLOSED_AGAIN)
        if now - known.asked_at >= WINDOW_SECONDS:
            known.asked_at = now  # before the request, since others may be turned away meanwhile
            try:
                await self._post(chat, payloads.template(self.template), f"{self._run}-template-{chat}")
            except DeliveryError as error:
                known.asked_at = 0.0
                self._host.tell(f"WhatsApp: something waits for {_named(chat)}: {_CLOSED}")
                return NotSent(
                    f"{_CLOSED}; the template could not be sent: {error.detail}", retry_after=_CLOSED_AGAIN
                )
            await self._notes.keep(chat)
        return NotSent(f"{_CLOSED}; the template asked them to", retry_after=_CLOSED_AGAIN)

    async def close(self, chat: str) -> None:
        """WhatsApp says that nothing may be written there."""
        (await self._notes.chat(chat)).closed = True
        await self._notes.keep(chat)

    def worked(self, chat: str) -> None:
        self._rests.over(chat)
        self._standing.mended(Trouble.OWNER, Trouble.REACH)

    def refused(self, chat: str, error: GraphError) -> DeliveryError:
        """What a refusal means for this message, and for what comes after it."""
        found = meaning_of(error)
        wait = self._rest(chat, found, error)
        if found.fix and found.scope is Scope.NUMBER:
            self._standing.broken(Trouble.OWNER, found.fix, tell=True)
        elif found.fix:
            self._host.tell(f"WhatsApp, writing to {_named(chat)}: {found.fix}")
        return delivery_error(error, wait)

    def _rest(self, chat: str, found: Meaning, error: GraphError) -> float | None:
        if found.scope is Scope.NUMBER:
            return self._rests.begin(NUMBER, error.wait or found.wait, self._clocks.monotonic())
        if found.scope is Scope.CHAT:
            return self._rests.begin(chat, error.wait or found.wait, self._clocks.monotonic())
        return None

    def _check_rest(self, chat: str) -> None:
        left = self._rests.left(chat, self._clocks.monotonic())
        if left:
            troubled = self._standing.troubled(Trouble.OWNER)
            raise NotSent(
                self._standing.detail if troubled else "WhatsApp asked to wait a little", retry_after=left
            )

    async def _write(self, out: Outbound) -> str:
        return await self._post(out.address.chat, self._payload(out), self._tracker(out), self._answered(out))

    def _payload(self, out: Outbound) -> Payload:
        body = written(out.text)
        return payloads.choices(body, out.choices) or payloads.text(body)

    async def _send_file(self, out: Outbound, file: File) -> str:
        """A file with its text as caption; what can't be one follows as a message of its own."""
        form = await parcel(file)
        caption = written(out.text) if out.text.strip() else ""
        if not caption or _captioned(form, caption, out.choices):
            return await self._upload(out, file, form, caption)
        # A text that fails must not bring the file a second time.
        note = f"file of {out.id}"
        if await self._host.store.load(note) is None:
            await self._host.store.save(note, {"ref": await self._upload(out, file, form, "")})
        ref = await self._write(out)
        await self._host.store.delete(note)
        return ref

    async def _upload(self, out: Outbound, file: File, form: Parcel, caption: str) -> str:
        chat = out.address.chat
        try:
            media_id = await self._graph.upload(file.path, well_formed(file.name), form.mime)
        except GraphError as error:
            raise self.refused(chat, error) from error
        payload = payloads.media(form.kind, media_id, well_formed(file.name), caption)
        tracker = self._tracker(out) if caption or not out.text.strip() else f"{self._tracker(out)}-file"
        return await self._post(chat, payload, tracker, self._answered(out))

    async def _post(self, chat: str, payload: Payload, tracker: str, answered: Payload | None = None) -> str:
        """Send it, marked so that its statuses tell of it also where the answer to the request is lost."""
        if ref := self.flights.landed(tracker):
            return ref
        if wait := self.flights.in_doubt(tracker):
            raise NotSent("WhatsApp may have taken it, which it is given the time to tell", retry_after=wait)
        request = {**payloads.to(chat), **payload, **(answered or {}), "biz_opaque_callback_data": tracker}
        with self.flights.sending():
            try:
                ref = await self._graph.send(request)
            except GraphError as error:
                if meaning_of(error).scope is Scope.WINDOW and payload["type"] != "template":
                    await self.close(chat)
                    raise await self.shut_out(chat) from error
                if answered and error.code in _BAD_FIELD:  # the answer counts more than what it quotes
                    return await self._post(chat, payload, tracker)
                raise self.refused(chat, error) from error
            except DeliveryError as error:
                if isinstance(error, Unknown):
                    self.flights.doubt(tracker)
                self._standing.broken(Trouble.REACH, error.detail)
                raise
            self.flights.sent(ref, chat, tracker)
        self.worked(chat)
        return ref

    def _answered(self, out: Outbound) -> Payload | None:
        """What to quote: in a private chat only where something newer stands between."""
        if not out.reply_to or (
            out.address.chat.isdecimal() and self.latest.get(out.address.chat) == out.reply_to
        ):
            return None
        return {"context": {"message_id": out.reply_to}}

    def _tracker(self, out: Outbound) -> str:
        return f"{self._run}-{out.id}"


def _captioned(form: Parcel, caption: str, choices: tuple[Choice, ...]) -> bool:
    return form.kind not in (Media.VOICE, Media.AUDIO) and len(caption) <= BODY_LIMIT and not choices


def _named(chat: str) -> str:
    return f"+{chat}" if chat.isdecimal() else chat

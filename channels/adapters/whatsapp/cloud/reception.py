"""What is done with a delivery: its messages are stored, its statuses reported; only then Meta is told that it came."""

from __future__ import annotations

import asyncio
import logging
import time

from channels.adapters.whatsapp.cloud.failures import Scope, meaning
from channels.adapters.whatsapp.cloud.notes import Notes
from channels.adapters.whatsapp.cloud.reading import Arrival, Move, Status, read, remembered, to_inbound
from channels.adapters.whatsapp.cloud.sending import Sending
from channels.adapters.whatsapp.cloud.standing import Standing, Trouble
from channels.adapters.whatsapp.settings import WhatsAppSettings
from channels.base import Host
from channels.errors import NotSent
from channels.types import DeliveryReport, Inbound, Report, Take

log = logging.getLogger(__name__)

_ARRIVED = ("delivered", "read", "played")
_LATEST = 500


class Reception:
    def __init__(
        self, settings: WhatsAppSettings, notes: Notes, sending: Sending, standing: Standing, host: Host
    ) -> None:
        self.received_at: float | None = None
        self.elsewhere = ""
        """The id of another number, for which something was delivered and left alone."""
        self._settings = settings
        self._notes = notes
        self._sending = sending
        self._standing = standing
        self._host = host
        self._order = asyncio.Lock()

    async def take(self, payload: object, take: Take, report: Report) -> set[str] | None:
        """The ids of each chat's last message, once all is stored; None if it can't be: Meta delivers it again."""
        numbers = await self._notes.numbers()
        found = read(payload, self._settings.phone_number_id, lambda user_id: numbers.get(user_id, ""))
        try:
            async with self._order:
                wanted = [one for one in found.arrivals if self._settings.groups or not one.group]
                last = await self._store(wanted, take)
            for status in found.statuses:
                await self._report(status, report)
        except Exception as error:  # by contract, whatever they raise means "not stored"
            detail = f"what comes can't be stored, so WhatsApp will deliver it again: {error}"
            if self._standing.broken(Trouble.STORING, detail):
                log.error("WhatsApp: what was delivered can't be stored", exc_info=error)
            return None
        self._standing.mended(Trouble.STORING)
        self.elsewhere = found.elsewhere[-1] if found.elsewhere else self.elsewhere
        for move in found.moves:
            self._tell(move)
        return last

    async def _store(self, arrivals: list[Arrival], take: Take) -> set[str]:
        messages: list[Inbound] = []
        for arrival in arrivals:
            # First: what waits for them to write goes out as soon as they are let in.
            await self._notes.heard(arrival.chat, arrival.at.timestamp())
            known = (await self._notes.chat(arrival.chat)).said
            message = to_inbound(arrival, known.get(arrival.answers))
            messages += [message] if message is not None else []
            if message is not None:
                await self._notes.remember(arrival.chat, message.ref, remembered(arrival))
        if messages:
            await take(messages)
            self.received_at = time.time()
        for message in messages:
            self._note_latest(message)
        for arrival in arrivals:
            await self._notes.belongs(arrival.user_id, arrival.sender.id)
        for chat in {arrival.chat for arrival in arrivals}:
            await self._notes.keep(chat)
        return set({message.address.chat: message.ref for message in messages}.values())

    def _note_latest(self, message: Inbound) -> None:
        latest = self._sending.latest
        latest.pop(message.address.chat, None)
        latest[message.address.chat] = message.ref
        while len(latest) > _LATEST:
            latest.pop(next(iter(latest)))

    async def _report(self, status: Status, report: Report) -> None:
        flights = self._sending.flights
        if status.state == "failed":
            flights.failed(status.tracker, status.ref)
        elif status.tracker:
            flights.seen(status.tracker, status.ref)
        if status.state in _ARRIVED:
            if flights.first_arrival(status.ref):
                await report(DeliveryReport(status.ref, delivered=True))
        elif status.state == "failed":
            await flights.answered(status.ref)
            found = meaning(status.code)
            again = found.outcome is NotSent
            detail = found.detail or f"WhatsApp says: {status.said or 'it failed'} ({status.code})"
            chat = flights.chat_of(status.ref) or status.chat
            if found.scope is Scope.WINDOW:
                await self._sending.close(chat)
            await report(DeliveryReport(status.ref, delivered=False, detail=detail, again=again))
            if found.scope is Scope.WINDOW:
                await self._sending.shut_out(chat)
            elif found.fix:
                self._host.tell(f"WhatsApp: {found.fix}")

    def _tell(self, move: Move) -> None:
        self._host.tell(
            f"WhatsApp: {move.name or 'somebody'} changed their number from +{move.old} to +{move.new}; if you know "
            "them and it is so, write the new one into [people] instead, or let them pair again"
        )

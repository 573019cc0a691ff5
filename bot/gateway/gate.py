"""The way in: refuses strangers, drops what was seen, stores the rest, and only then lets the channel confirm it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from bot.gateway.bus import Bus
from bot.gateway.commands import Commands
from bot.gateway.outbox import Outbox
from bot.gateway.people import People, Person, outgoing
from bot.storage import inbox as rows
from bot.storage.database import Database
from bot.storage.inbox import Entry
from bot.storage.tables import Inbox, InboxState
from bot.text import valid
from channels.types import Inbound

log = logging.getLogger(__name__)


class Gate:
    def __init__(
        self, database: Database, people: People, commands: Commands, outbox: Outbox, bus: Bus
    ) -> None:
        self._database = database
        self._people = people
        self._commands = commands
        self._outbox = outbox
        self._bus = bus
        self._clock: Callable[[], float] = people.clock

    async def take(self, batch: Sequence[Inbound]) -> None:
        """Store a batch in one commit. Returns when it is durable; raises StorageError when it isn't."""
        entries: list[Entry] = []
        for inbound in batch:
            person = self._people.identify(inbound.address.channel, inbound.sender.id)
            if person is not None and inbound.addressed:
                entries.append(await self._entry(inbound, person))
            elif inbound.addressed and inbound.private:
                replies = await self._people.offer_code(inbound)
                self._outbox.put(replies)
                if replies:
                    log.info(
                        "a stranger on %s was shown a pairing code: nanobot pair list",
                        inbound.address.channel,
                    )
        if not entries:
            return
        stored = await self._database.write(partial(rows.store, entries=entries))
        late = []
        for entry in stored:
            self._outbox.put(entry.replies)
            if entry.row.state == InboxState.QUEUED:
                self._bus.put([entry.row])
            if entry.act is not None and (text := entry.act()):
                late.append(outgoing(entry.address, text, self._clock()))
        if late:
            await self._outbox.store(late)

    async def _entry(self, inbound: Inbound, person: Person) -> Entry:
        now = self._clock()
        entry = Entry(_row(inbound, person, now), inbound.address, inbound.private)
        reply = await self._commands.run(inbound, person.name)
        if reply is not None:
            entry.row.state = InboxState.DONE
            entry.effect, entry.act = reply.effect, reply.act
            entry.replies = [outgoing(inbound.address, reply.text, now)] if reply.text else []
        return entry


def _row(inbound: Inbound, person: Person, now: float) -> Inbox:
    return Inbox(
        channel=inbound.address.channel,
        key=inbound.key,
        session=str(inbound.address),
        person=person.name,
        sender_name=valid(inbound.sender.name),
        text=valid(inbound.text),
        ref=inbound.ref,
        more_follows=inbound.more_follows,
        sent_at=inbound.at.timestamp(),
        received_at=now,
    )

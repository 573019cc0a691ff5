"""The way in: refuses strangers, drops what was seen, stores the rest, and only then lets the channel confirm it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.gateway.bus import Bus
from bot.gateway.commands import Commands, Reply, parse
from bot.gateway.groups import NOT_INVITED, Groups
from bot.gateway.intake import Intake
from bot.gateway.linking import Linking
from bot.gateway.outbox import Outbox
from bot.gateway.parts import Arrival
from bot.gateway.people import People, Person, outgoing
from bot.storage import inbox as rows
from bot.storage.database import Database
from bot.storage.inbox import Entry
from bot.storage.tables import Inbox, InboxState
from bot.storage.tables import Outbox as OutboxRow
from bot.text import valid
from channels.types import Inbound

log = logging.getLogger(__name__)

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Inside:
    """What stands behind the gate. `pairing` are the channels on which a stranger is answered, with a code."""

    commands: Commands
    outbox: Outbox
    bus: Bus
    intake: Intake
    linking: Linking
    groups: Groups
    pairing: frozenset[str]


class Gate:
    def __init__(self, database: Database, people: People, inside: Inside) -> None:
        self._database = database
        self._people = people
        self._commands = inside.commands
        self._outbox = inside.outbox
        self._bus = inside.bus
        self._intake = inside.intake
        self._linking = inside.linking
        self._groups = inside.groups
        self._pairing = inside.pairing
        self._clock: Callable[[], float] = people.clock

    async def take(self, batch: Sequence[Inbound]) -> None:
        """Store a batch, in one commit save for changes of what came along in it. Returns when it is durable; raises
        StorageError when it isn't.
        """
        entries: list[Entry] = []
        for inbound in map(_storable, batch):
            if inbound.edits:
                # Its older version may be among them, and waits for an answer only once it is stored.
                await self._store(entries)
                entries = []
            if (entry := await self._admitted(inbound)) is not None:
                entries.append(entry)
        await self._store(entries)

    async def _store(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        stored = await self._database.write(partial(rows.store, entries=entries))
        late = []
        for entry in stored:
            self._outbox.put(entry.replies)
            if entry.row.state == InboxState.QUEUED:
                self._answer(entry)
            if entry.act is not None and (text := entry.act()):
                late += self._outbox.pieces(outgoing(entry.address, text, self._clock()))
        if late:
            await self._outbox.store(late)

    async def _admitted(self, inbound: Inbound) -> Entry | None:
        """What is stored of a message; None of a stranger's, of talk among others, of a change that comes too late."""
        person = self._people.identify(inbound.address.channel, inbound.sender.id)
        if person is None:
            await self._turn_away(inbound)
            return None
        if inbound.invites:
            self._outbox.put(await self._groups.invite(inbound.address, person.name))
            return None
        if not inbound.addressed:
            return None
        self._outbox.wake(str(inbound.address))
        if not inbound.private and not self._groups.invited(inbound.address):
            return await self._outside(inbound, person)
        if inbound.edits and not self._bus.unanswered(str(inbound.address), inbound.edits):
            return None
        return await self._entry(inbound, person)

    async def _turn_away(self, inbound: Inbound) -> None:
        """A stranger reads nothing, save where the channel pairs: how to be let in. What they wrote isn't stored."""
        channel = inbound.address.channel
        if not inbound.private:
            self._people.refused[channel] += inbound.addressed
            return
        name, argument = parse(inbound.text)
        aloud = channel in self._pairing
        if name == "link" and argument:
            self._outbox.put(await self._linking.take(inbound, argument, aloud=aloud))
        elif aloud:
            await self._offer_code(inbound)
        if self._people.identify(channel, inbound.sender.id) is None:
            self._people.refused[channel] += 1

    async def _outside(self, inbound: Inbound, person: Person) -> Entry | None:
        """A group that nobody we know brought us into: a known person may."""
        if parse(inbound.text)[0] == "start":
            self._outbox.put(await self._groups.invite(inbound.address, person.name))
            return None
        if not self._groups.hint(inbound.address):
            return None
        now = self._clock()
        entry = Entry(_row(inbound, person, now), inbound.address, inbound.private)
        entry.row.state = InboxState.DONE
        entry.replies = [_reply(inbound, Reply(NOT_INVITED), now)]
        return entry

    async def _offer_code(self, inbound: Inbound) -> None:
        replies = await self._people.offer_code(inbound)
        self._outbox.put(replies)
        if replies:
            log.info("a stranger on %s was shown a pairing code: nanobot pair list", inbound.address.channel)

    def _answer(self, entry: Entry) -> None:
        """Let a stored message be answered, in its session's order."""
        row = entry.row
        if entry.replaces:
            self._bus.replace(entry.replaces, row)
        else:
            if self._bus.busy(row.session):
                self._intake.acknowledge(row, entry.address)
            self._bus.put([row])
        if row.pending:
            self._intake.begin(row)

    async def _entry(self, inbound: Inbound, person: Person) -> Entry:
        now = self._clock()
        entry = Entry(_row(inbound, person, now), inbound.address, inbound.private, replaces=inbound.edits)
        entry.row.files = await self._intake.files(inbound, person.name)
        entry.row.pending = any(Arrival.of(one).open for one in entry.row.files or ())
        entry.row.quotes = await self._intake.quotes(inbound)
        reply = await self._commands.run(inbound, person)
        if reply is not None:
            entry.row.state = InboxState.DONE
            entry.effect, entry.act = reply.effect, reply.act
            entry.replies = self._outbox.pieces(_reply(inbound, reply, now)) if reply.text else []
        return entry


def _storable(inbound: Inbound) -> Inbound:
    """With a text that can be stored, and a name that is one line: in a group no name speaks for somebody else."""
    name = " ".join(valid(inbound.sender.name).split())[:_LONGEST_NAME]
    return replace(inbound, text=valid(inbound.text), sender=replace(inbound.sender, name=name))


def _reply(inbound: Inbound, reply: Reply, now: float) -> OutboxRow:
    row = outgoing(inbound.address, reply.text, now, choices=reply.choices)
    row.reply_to = inbound.ref
    return row


def _row(inbound: Inbound, person: Person, now: float) -> Inbox:
    return Inbox(
        channel=inbound.address.channel,
        key=inbound.key,
        session=str(inbound.address),
        person=person.name,
        sender_name=inbound.sender.name,
        text=inbound.text,
        ref=inbound.ref or inbound.edits,
        more_follows=inbound.more_follows,
        sent_at=inbound.at.timestamp(),
        received_at=now,
    )

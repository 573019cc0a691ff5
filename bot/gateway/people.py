"""Who is who. Identities come from the configuration and from pairing; only stable ids count, never names."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bot.config import Config
from bot.errors import BotError
from bot.safety.rules import Role
from bot.storage import people as rows
from bot.storage.database import Database
from bot.storage.tables import Outbox, Pairing
from channels.types import Address, Inbound

OWNER = "owner"
"""The name of the person who runs this, where the configuration names nobody as owner."""
CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters and digits that are not taken for each other."""
NAME = re.compile(r"\w[\w-]*")
"""What a person may be called: it becomes the name of a folder, their memory."""
_CODE_SECONDS = 3600.0
_MOST_CODES = 20


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    role: Role


class People:
    """The directory in memory; the database holds what pairing added."""

    def __init__(
        self,
        database: Database,
        configured: Mapping[tuple[str, str], Person],
        owner: Person,
        clock: Callable[[], float],
    ) -> None:
        self.owner = owner
        """Who the user at the terminal is."""
        self._database = database
        self._known = dict(configured)
        self.clock = clock

    async def load(self) -> None:
        self._take(await self.paired())

    async def paired(self) -> dict[tuple[str, str], Person]:
        """Whom codes let in, by (channel, sender)."""
        return {
            (identity.channel, identity.sender): Person(person.name, person.role)
            for identity, person in await self._database.read(rows.identities)
        }

    def adopt(
        self,
        configured: Mapping[tuple[str, str], Person],
        owner: Person,
        paired: Mapping[tuple[str, str], Person],
    ) -> None:
        """Go by another configuration from now on."""
        self.owner = owner
        self._known = dict(configured)
        self._take(paired)

    def _take(self, paired: Mapping[tuple[str, str], Person]) -> None:
        """The configuration goes before what a code once said."""
        self._known = {**paired, **self._known}

    def identify(self, channel: str, sender: str) -> Person | None:
        """Who writes, or None for a stranger. Whoever can open the control socket is the owner."""
        return self.owner if channel == "terminal" else self._known.get((channel, sender))

    def names(self) -> set[str]:
        """Everybody who may write."""
        return {self.owner.name, *(person.name for person in self._known.values())}

    def role_of(self, name: str) -> Role:
        """What a person may decide, by their name."""
        if name == self.owner.name:
            return Role.OWNER
        known = (person.role for person in self._known.values() if person.name == name)
        return next(known, Role.USER)

    async def offer_code(self, inbound: Inbound) -> list[Outbox]:
        """Store a code for a stranger with the message that shows it; nothing if he has one or too many are pending."""
        now = self.clock()
        code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(8))
        pairing = Pairing(
            code=code,
            channel=inbound.address.channel,
            sender=inbound.sender.id,
            sender_name=inbound.sender.name[:80],
            chat=inbound.address.chat,
            thread=inbound.address.thread,
            created_at=now,
            expires_at=now + _CODE_SECONDS,
        )
        text = (
            "I only talk to people I know. If you belong here, have this run on my machine within the hour:\n"
            f"`nanobot pair approve {code}`"
        )
        reply = outgoing(inbound.address, text, now)
        return await self._database.write(
            partial(rows.offer, pairing=pairing, replies=[reply], most=_MOST_CODES)
        )

    async def pending(self) -> list[Pairing]:
        return await self._database.read(partial(rows.pairings, now=self.clock()))

    async def approve(self, code: str, name: str = "") -> tuple[Pairing, Person]:
        """Let the holder of a code in: as `name`, else as the owner if no channel knows one yet, else as a new user.

        Raises BotError if there is no such code.
        """
        wanted = code.strip().upper()
        found = next((p for p in await self.pending() if p.code == wanted), None)
        if found is None:
            raise BotError(
                f"no pairing code {wanted}; codes last an hour, `nanobot pair list` shows those pending"
            )
        person = self._person_for(found, name)
        await self._database.write(
            partial(rows.link, pairing=found, person=person.name, role=person.role, now=self.clock())
        )
        self._known[(found.channel, found.sender)] = person
        return found, person

    async def refuse(self, code: str) -> None:
        if not await self._database.write(partial(rows.drop, code=code.strip().upper())):
            raise BotError(f"no pairing code {code.strip().upper()}")

    def _person_for(self, pairing: Pairing, name: str) -> Person:
        people = {person.name: person for person in self._known.values()}
        if name and not NAME.fullmatch(name):
            raise BotError(f"{name!r} is no name here; use letters, digits, - and _")
        if name:
            return people.get(name) or (self.owner if name == self.owner.name else Person(name, Role.USER))
        if not any(person.role == Role.OWNER for person in people.values()):
            return self.owner
        base = re.sub(r"[^a-z0-9]+", "-", pairing.sender_name.lower()).strip("-") or pairing.channel
        taken = set(people) | {self.owner.name}
        names = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
        return Person(next(n for n in names if n not in taken), Role.USER)


def configured(config: Config) -> dict[tuple[str, str], Person]:
    """Who the configuration names, by (channel, sender)."""
    return {
        (channel, sender): Person(name, Role(person.role))
        for name, person in config.people.items()
        for channel, senders in person.identities.items()
        for sender in senders
    }


def owner(config: Config) -> Person:
    """The first owner that the configuration names, else whoever runs this."""
    name = next((name for name, person in config.people.items() if person.role == "owner"), OWNER)
    return Person(name, Role.OWNER)


def outgoing(at: Address, text: str, now: float, kind: str = "reply") -> Outbox:
    """A message outside any turn: the reply to a command, a word to a stranger, a question to the owner."""
    return Outbox(
        session=str(at),
        channel=at.channel,
        chat=at.chat,
        thread=at.thread,
        kind=kind,
        text=text,
        created_at=now,
    )

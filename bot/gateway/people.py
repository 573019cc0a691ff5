"""Who is who. Identities come from the configuration and from codes; only stable ids count, never names."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from bot.config import Config, PersonSettings
from bot.errors import BotError
from bot.safety.rules import Role
from bot.storage import people as rows
from bot.storage.database import Database
from bot.storage.tables import Identity, Outbox, Pairing
from channels.types import Address, Choice, Inbound

OWNER = "owner"
"""The name of the person who runs this, where the configuration names nobody as owner."""
CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters and digits that are not taken for each other."""
CODE_LENGTH = 8
NAME = re.compile(r"\w[\w-]*")
"""What a person may be called: it becomes the name of a folder, their memory."""
_CODE_SECONDS = 3600.0
_MOST_CODES = 20

Way = tuple[str, str]
"""How somebody is known: a channel, and the sender's id there."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Roster:
    """Whom the configuration names, and who the owner is."""

    owner: Person
    identities: Mapping[Way, Person]
    settings: Mapping[str, PersonSettings]


@dataclass(frozen=True, slots=True)
class Known:
    """One way to a person. `since` is when a code made it one, in seconds since the epoch; None: it is configured."""

    person: Person
    since: float | None = None


class People:
    """The directory in memory; the database holds what codes and choices added to the configuration."""

    def __init__(self, database: Database, roster: Roster, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.refused: Counter[str] = Counter()
        """Messages of strangers since the start, by channel."""
        self.hang_up: Callable[[str], object] = lambda _session: None
        """Called with each session of which nobody is known any more: what is answered there ends."""
        self._database = database
        self._roster = roster
        self._added: dict[Way, Known] = {}
        self._languages: dict[str, str] = {}
        self._known: dict[Way, Known] = {}
        self._gather()

    async def load(self) -> None:
        """Read what codes and choices added."""
        self._added = {
            (identity.channel, identity.sender): Known(Person(person.name, person.role), identity.created_at)
            for identity, person in await self._database.read(rows.identities)
        }
        self._languages = await self._database.read(rows.languages)
        self._gather()

    def adopt(self, roster: Roster) -> None:
        """Go by another configuration from now on."""
        self._roster = roster
        self._gather()

    def _gather(self) -> None:
        """The configuration goes before what a code once said, and decides the role of whom it names."""
        added = {way: Known(self._as_configured(one.person), one.since) for way, one in self._added.items()}
        self._known = {**added, **{way: Known(person) for way, person in self._roster.identities.items()}}

    def _as_configured(self, person: Person) -> Person:
        settings = self._roster.settings.get(person.name)
        return person if settings is None else Person(person.name, Role(settings.role))

    @property
    def owner(self) -> Person:
        """Who the user at the terminal is."""
        return self._roster.owner

    def identify(self, channel: str, sender: str) -> Person | None:
        """Who writes, or None for a stranger. Whoever can open the control socket is the owner."""
        if channel == "terminal":
            return self.owner
        known = self._known.get((channel, sender))
        return known.person if known is not None else None

    def names(self) -> set[str]:
        """Everybody who may write."""
        return {self.owner.name, *(known.person.name for known in self._known.values())}

    def role_of(self, name: str) -> Role:
        """What a person may decide, by their name."""
        if name == self.owner.name:
            return Role.OWNER
        known = (one.person.role for one in self._known.values() if one.person.name == name)
        return next(known, Role.USER)

    def known_as(self, name: str) -> dict[Way, Known]:
        """How channels know a person."""
        return {way: known for way, known in self._known.items() if known.person.name == name}

    def places(self) -> set[tuple[str, str]]:
        """Which channels know whom, by name: a private chat on another is not that person's any more."""
        known = {(channel, known.person.name) for (channel, _), known in self._known.items()}
        return {*known, ("terminal", self.owner.name)}

    def named(self) -> list[str]:
        """Everybody who may write or whom the configuration names, the owner first."""
        others = sorted((self.names() | set(self._roster.settings)) - {self.owner.name})
        return [self.owner.name, *others]

    def settings(self, name: str) -> PersonSettings:
        """What the configuration says of a person; the defaults of one whom it doesn't name."""
        return self._roster.settings.get(name) or PersonSettings()

    def language(self, name: str) -> str:
        """What a person wants to be answered in; "" is the language that they write in."""
        return self._languages.get(name, self.settings(name).language or "")

    def chose_language(self, name: str, language: str) -> None:
        """Go by a choice that is stored."""
        self._languages[name] = language

    async def offer_code(self, inbound: Inbound) -> list[Outbox]:
        """Store a code for a stranger with the message that shows it; nothing if he has one or too many are pending."""
        now = self.clock()
        code = new_code()
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
        person = self._person_for(found, name, await self._database.read(rows.names))
        linked = await self._database.write(
            partial(rows.link, pairing=found, person=person.name, role=person.role, now=self.clock())
        )
        self.added(linked, person)
        return found, person

    def added(self, identity: Identity, person: Person) -> None:
        """Go by an identity that is stored."""
        self._added[identity.channel, identity.sender] = Known(person, identity.created_at)
        self._gather()

    async def unlink(self, channel: str, sender: str) -> Person:
        """Know somebody no longer there, who a code made known; returns who it was. Raises BotError."""
        known = self._known.get((channel, sender))
        if known is None:
            raise BotError(f"nobody is known as {sender!r} on {channel!r}; `nanobot people` shows all")
        name = known.person.name
        if known.since is None:
            raise BotError(
                f"{sender} on {channel} stands in the configuration: take it out of [people.{name}] there"
            )
        sessions = await self._database.write(partial(rows.unlink, channel=channel, sender=sender))
        self._added.pop((channel, sender), None)
        self._gather()
        for session in sessions:
            self.hang_up(session)
        return known.person

    async def refuse(self, code: str) -> None:
        if not await self._database.write(partial(rows.drop, code=code.strip().upper())):
            raise BotError(f"no pairing code {code.strip().upper()}")

    def _person_for(self, pairing: Pairing, name: str, once: Sequence[str]) -> Person:
        people = {known.person.name: known.person for known in self._known.values()}
        if name and not NAME.fullmatch(name):
            raise BotError(f"{name!r} is no name here; use letters, digits, - and _")
        if name in people:
            raise BotError(_claimed(name, sorted({channel for channel, _ in self.known_as(name)})))
        if name:
            person = self.owner if name == self.owner.name else Person(name, Role.USER)
            return self._as_configured(person)
        if not any(person.role == Role.OWNER for person in people.values()):
            return self.owner
        base = re.sub(r"[^a-z0-9]+", "-", pairing.sender_name.lower()).strip("-") or pairing.channel
        # A name of somebody who isn't let in now still has a memory.
        taken = {*people, *once, *self.named()}
        names = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
        return Person(next(n for n in names if n not in taken), Role.USER)


def _claimed(name: str, channels: Sequence[str]) -> str:
    """Why a stranger isn't taken for somebody who is known: anybody may say that they are Anna."""
    return (
        f"{name} writes on {' and '.join(channels)} already, and only {name} can say that this is {name} too: /link "
        "sent there shows a code, which is then sent from here as `/link CODE`. For somebody else choose another name"
    )


def new_code(length: int = CODE_LENGTH) -> str:
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))


def roster(config: Config) -> Roster:
    """Whom a configuration names. The owner is the first that it names so, else whoever runs this."""
    identities = {
        (channel, sender): Person(name, Role(person.role))
        for name, person in config.people.items()
        for channel, senders in person.identities.items()
        for sender in senders
    }
    owner = next((name for name, person in config.people.items() if person.role == "owner"), OWNER)
    return Roster(Person(owner, Role.OWNER), identities, config.people)


def outgoing(
    at: Address, text: str, now: float, kind: str = "reply", choices: Sequence[Choice] = ()
) -> Outbox:
    """A message outside any turn: the reply to a command, a word to a stranger, a question to the owner."""
    return Outbox(
        session=str(at),
        channel=at.channel,
        chat=at.chat,
        thread=at.thread,
        kind=kind,
        text=text,
        choices=[asdict(choice) for choice in choices] or None,
        created_at=now,
    )

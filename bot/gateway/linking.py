"""One person on several channels: a code that is shown where we know them, and sent from where we don't yet.

Nobody is taken at their word: whoever says on a new channel that they are Anna has to show what only Anna could read.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from functools import partial

from bot.errors import BotError
from bot.gateway.people import CODE_ALPHABET, People, Person, Way, new_code, outgoing
from bot.storage import outbox, sessions
from bot.storage import people as rows
from bot.storage.database import Database
from bot.storage.people import Link
from bot.storage.tables import Identity, LinkCode, Outbox
from channels.types import Choice, Inbound

CODE_SECONDS = 600.0
_TRIES_SECONDS = 600.0
_TRIES_OF_ONE = 5
_TRIES_OF_ALL = 30
_NO_CODE = "That code is not good, or no longer: /link, sent where I know you, shows a new one."


class Tries:
    """Counts wrong codes, so that nobody gets in by trying. Pure: `now` is in seconds."""

    def __init__(self) -> None:
        self._wrong: deque[tuple[float, Way]] = deque()

    def allowed(self, sender: Way, now: float) -> bool:
        """Whether another code may be tried."""
        while self._wrong and self._wrong[0][0] <= now - _TRIES_SECONDS:
            self._wrong.popleft()
        own = sum(who == sender for _, who in self._wrong)
        return own < _TRIES_OF_ONE and len(self._wrong) < _TRIES_OF_ALL

    def wrong(self, sender: Way, now: float) -> None:
        self._wrong.append((now, sender))


class Linking:
    def __init__(self, database: Database, people: People) -> None:
        self._database = database
        self._people = people
        self._tries = Tries()

    def code(self, person: str) -> LinkCode:
        """A new code for a person, to be stored by `show_link_code`."""
        now = self._people.clock()
        return LinkCode(code=new_code(), person=person, created_at=now, expires_at=now + CODE_SECONDS)

    async def take(self, inbound: Inbound, argument: str, *, aloud: bool) -> list[Outbox]:
        """A stranger sends a code: with the right one, they are its person from now on, and both sides are told.

        Returns what is stored to be delivered; nothing of it is for a stranger with a wrong code, unless `aloud`.
        """
        now, sender = self._people.clock(), (inbound.address.channel, inbound.sender.id)
        if not self._tries.allowed(sender, now):
            return []
        linked = await self._linked(inbound, cleaned(argument), now)
        if linked is not None:
            return linked
        self._tries.wrong(sender, now)
        if not aloud:
            return []
        refusal = [_answer(inbound, _NO_CODE, now)]
        return await self._database.write(partial(outbox.add, rows=refusal))

    async def undo(self, by: Way, person: str, what: Way) -> str:
        """Take back what a code linked, at a person's own word; returns what they read.

        Only what came later than the way `by` which they write: who got in by a stolen code must not lock out whose it
        was.
        """
        known = self._people.known_as(person)
        named = f"{what[1]} on {what[0]}"
        if what not in known:
            return f"You are not known to me as {named}. {linked_ways(known)}"
        since, own = known[what].since, known[by].since if by in known else None
        if what == by or since is None or (own is not None and since <= own):
            return f"{named} can't be taken away from here; `nanobot people unlink` on my machine can."
        try:
            await self._people.unlink(*what)
        except BotError as error:
            return f"{error}."
        return f"{named} is a stranger to me again."

    async def _linked(self, inbound: Inbound, code: str, now: float) -> list[Outbox] | None:
        shown = await self._database.read(partial(rows.link_code, code=code, now=now))
        if shown is None or shown.person not in self._people.names():
            return None
        person = Person(shown.person, self._people.role_of(shown.person))
        channel, sender = inbound.address.channel, inbound.sender.id
        identity = Identity(channel=channel, sender=sender, person=person.name, created_at=now)
        told = await self._told(inbound, person.name, now)
        link = Link(identity, person.role, inbound.address, told)
        stored = await self._database.write(partial(rows.link_by_code, code=code, link=link))
        if stored is not None:
            self._people.added(identity, person)
        return stored

    async def _told(self, inbound: Inbound, person: str, now: float) -> list[Outbox]:
        """What both sides read: the new one, and the chat that the person used last, which showed the code."""
        channel, sender = inbound.address.channel, inbound.sender.id
        hello = f"Now I know you here too, {person}: what you tell me on one channel I know on the others."
        told = [_answer(inbound, hello, now)]
        chats = await self._database.read(partial(sessions.private_of, person=person))
        if chats:
            back = f"/link undo {channel} {sender}"
            name = f" ({inbound.sender.name[:80]})" if inbound.sender.name else ""
            text = f"{sender}{name} on {channel} is you from now on. If that isn't you: `{back}`"
            at = sessions.address_of(chats[0])
            told.append(outgoing(at, text, now, "notice", [Choice("That isn't me", back)]))
        return told


def cleaned(argument: str) -> str:
    """A code as it was shown, however it was copied."""
    word = argument.split(maxsplit=1)[0].upper() if argument.strip() else ""
    return re.sub(f"[^{CODE_ALPHABET}]", "", word)


def linked_ways(known: Mapping[Way, object]) -> str:
    """How somebody is known, for themselves."""
    ways = ", ".join(f"`{channel} {sender}`" for channel, sender in known)
    return f"I know you as {ways}." if ways else "I know you at this terminal only."


def _answer(inbound: Inbound, text: str, now: float) -> Outbox:
    row = outgoing(inbound.address, text, now)
    row.reply_to = inbound.ref
    return row

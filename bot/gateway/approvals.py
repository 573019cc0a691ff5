"""Asking the owner. A question is a row that holds no turn's place and no deadline; with the word the turn goes on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from bot.gateway.people import Person, new_code, outgoing
from bot.storage import approvals as rows
from bot.storage.database import Database
from bot.storage.sessions import address_of
from bot.storage.tables import Approval, Inbox, Outbox, Session, Turn
from channels.types import Choice

_ASKED = "⏳ For this I need the owner's word. I have asked, and go on as soon as it comes."
_UNREACHABLE = "⏳ For this I need the owner's word, but I know no chat of theirs; `nanobot chat` opens one."

GoOn = Callable[[Turn, list[Inbox]], Awaitable[None]]
"""Lets a turn run that waited for a word."""


class Approvals:
    """`owner` decides; `seconds` is how long a question stays open, `chats` tells where somebody can be written to, the
    best first. `go_on` is called for each decided turn.
    """

    def __init__(
        self,
        database: Database,
        owner: Person,
        clock: Callable[[], float],
        seconds: float,
        chats: Callable[[str], Awaitable[Sequence[Session]]],
    ) -> None:
        self.owner = owner
        self.go_on: GoOn = _nobody
        self.pieces: Callable[[Outbox], list[Outbox]] = lambda whole: [whole]
        """Makes of a message such as its channel takes."""
        self._database = database
        self._clock = clock
        self._seconds = seconds
        self._chats = chats
        self._new = asyncio.Event()

    def adopt(self, owner: Person, seconds: float) -> None:
        """Ask this owner from now on, and for so long; questions that are open stay with whom they were put to."""
        self.owner = owner
        self._seconds = seconds

    def ask(self, approval: Approval) -> Approval:
        """Fill in whom to ask, by which code, and until when."""
        approval.code = new_code(6)
        approval.asked_of = self.owner.name
        approval.expires_at = self._clock() + self._seconds
        return approval

    def opened(self) -> None:
        """A question was stored: it may be the next to expire."""
        self._new.set()

    async def questions(self, question: str, session: Session) -> list[Outbox]:
        """What is sent: the question to the owner, and where they are not the one who asks, a word to that one."""
        now, choices = self._clock(), _choices(question)
        if session.person == self.owner.name:
            return self.pieces(outgoing(address_of(session), question, now, "question", choices))
        chats = await self._chats(self.owner.name)
        if not chats:
            return self.pieces(
                outgoing(address_of(session), f"{_UNREACHABLE}\n\n{question}", now, "question")
            )
        return [
            *self.pieces(outgoing(address_of(chats[0]), question, now, "question", choices)),
            outgoing(address_of(session), _ASKED, now, "notice"),
        ]

    async def decide(self, person: str, code: str, *, yes: bool) -> str:
        """Take a person's word and let the turn go on; returns what they read."""
        now = self._clock()
        wanted = code.strip().upper()
        found = await self._database.write(partial(rows.decide, code=wanted, person=person, yes=yes, now=now))
        if found is None:
            return f"Nothing is open under {wanted or 'no code'}: it was decided, is too old, or isn't yours."
        await self._continue(found)
        return "Yes: I go on." if yes else "No: it won't be done."

    async def cancel(self, session: str) -> bool:
        """Take what is asked for in a session as denied; false where nothing is."""
        found = await self._database.write(partial(rows.cancel, session=session, now=self._clock()))
        for approval in found:
            await self._continue(approval)
        return bool(found)

    async def recover(self) -> None:
        """Let those turns go on whose word came right before a restart."""
        for approval in await self._database.read(rows.decided):
            await self._continue(approval)

    async def watch(self) -> None:
        """Give up on questions that nobody answers in time, for ever."""
        while True:
            self._new.clear()
            due = await self._database.read(rows.next_expiry)
            try:
                async with asyncio.timeout(None if due is None else max(due - self._clock(), 0.0)):
                    await self._new.wait()
            except TimeoutError:
                for approval in await self._database.write(partial(rows.expire, now=self._clock())):
                    await self._continue(approval)

    async def _continue(self, approval: Approval) -> None:
        turn, messages = await self._database.read(partial(rows.root, number=approval.turn))
        await self.go_on(turn, messages)


def _choices(question: str) -> tuple[Choice, ...]:
    """Buttons for the answers that a question names in its last line."""
    codes = re.findall(r"/approve (\w+)", question.rstrip().rpartition("\n")[2])
    return (Choice("Yes", f"/approve {codes[-1]}"), Choice("No", f"/deny {codes[-1]}")) if codes else ()


async def _nobody(_turn: Turn, _rows: list[Inbox]) -> None:
    """Before the app is put together."""

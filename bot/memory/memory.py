"""Memory as the rest of the bot sees it: what goes into a prompt, what is remembered and forgotten on request, what
reflection makes of finished conversations.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bot.errors import StorageError
from bot.memory import facts, learning, observing, reflection
from bot.memory.facts import HOUSEHOLD, Applied, Change
from bot.memory.keeper import Keeper, TooLarge
from bot.memory.observing import Forgotten
from bot.memory.reflection import Seen, Unusable
from bot.storage import memory as rows
from bot.storage.database import Database
from bot.storage.tables import FactVersion, Message, Session
from providers.client import ModelClient
from providers.errors import NoModel, UnknownName
from providers.types import ChatRequest

log = logging.getLogger(__name__)

ROLE = "reflection"
_ANSWER_TOKENS = 2_000
_SECONDS = 300.0
_LESSONS = 5
_LESSONS_SINCE = 30 * 86_400.0
_PROMPT_CHARS = 6_000
"""Of one file of facts in the prompt: about 1,500 tokens."""
_HOUSEHOLD_CHARS = 2_000
_SHOWN_CHARS = 3_000
"""Of what /memory shows: it has to fit into one message."""
_PATIENCE = 6 * 3600.0
"""Seconds for which a reflection that came to nothing isn't tried again but at night."""
_ENOUGH = 12
_ENOUGH_CHARS = 12_000
"""So many conversations, or so much said in them, is reflected on without waiting for the night."""
_HOLDS_A_KEY = "it holds a key or password"


class Memory:
    """`clock` gives seconds since the epoch; `redact` leaves the values of our secrets out of a text."""

    def __init__(
        self,
        database: Database,
        workspace: Path,
        clock: Callable[[], float],
        redact: Callable[[str], str] = str,
    ) -> None:
        self.keeper = Keeper(database, workspace, clock)
        self._database = database
        self._clock = clock
        self._redact = redact
        self._lessons: list[tuple[str, str]] = []
        self._reflecting = asyncio.Lock()
        self._failed: dict[str, float] = {}
        """When a reflection on somebody last came to nothing."""

    async def load(self) -> None:
        """Read what tools taught."""
        since = self._clock() - _LESSONS_SINCE
        self._lessons = await self._database.read(partial(rows.lessons, since=since, most=_LESSONS))

    def prompt(self, person: str) -> str:
        """What is known of a person and the household, within its budget, for the system prompt; "" for nothing."""
        own = facts.within(self.keeper.read(person), _PROMPT_CHARS)
        shared = facts.within(self.keeper.read(HOUSEHOLD), _HOUSEHOLD_CHARS)
        parts = (
            f"What you remember about {person}:\n{own}" if own else "",
            f"What everybody in the house knows:\n{shared}" if shared else "",
            self.lessons(),
        )
        return self._redact("\n\n".join(part for part in parts if part))

    def lessons(self) -> str:
        """What tools taught, for the prompt of whoever holds them; "" for nothing."""
        return learning.told(self._lessons)

    async def remember(self, person: str, text: str, source: str, *, shared: bool = False) -> Applied:
        """Add a fact at once. Raises OSError, TooLarge."""
        if self._redact(text) != text:
            return Applied("", (), (_HOLDS_A_KEY,))
        owner = HOUSEHOLD if shared else person
        return await self.keeper.change(
            owner, [Change("add", new=text.strip(), source=source)], "asked to remember"
        )

    async def forget(self, person: str, words: str) -> list[str]:
        """Drop a person's facts that hold all of these words; returns them. A version before is kept.

        What they said with these words so far will not be noted either. Raises OSError, TooLarge.
        """
        found = facts.matching(self.keeper.read(person), words)
        changes = [Change("drop", old=fact.text) for fact in found]
        applied = await self.keeper.change(person, changes, f"{rows.FORGET}{words}", most_lost=1.0)
        note = FactVersion(
            owner=person, text=self.keeper.read(person), why=f"{rows.FORGET}{words}", at=self._clock()
        )
        strike = partial(observing.struck, words=words)
        new = None if applied.done else note
        await self._database.write(partial(rows.forget, person=person, strike=strike, version=new))
        return list(dict.fromkeys(change.old for change in applied.done))

    def known(self, person: str) -> str:
        """The text of /memory."""
        own = self._listed(person) or "I know nothing about you yet."
        shared = self._listed(HOUSEHOLD)
        parts = [own, f"Everybody here may know:\n{shared}" if shared else ""]
        where = self.keeper.file(person).relative_to(self.keeper.workspace)
        parts.append(
            f"It stands in {where} of my workspace, to be edited there; `/forget WORDS` drops of it."
        )
        return "\n\n".join(part for part in parts if part)

    def noted(self, person: str, words: str) -> list[str]:
        """The facts that hold all of these words: a person's own, then the household's."""
        return [
            fact.text
            for owner in (person, HOUSEHOLD)
            for fact in facts.matching(self.keeper.read(owner), words)
        ]

    def _listed(self, owner: str) -> str:
        lines = [f"- {fact.text}" for fact in facts.parse(self.keeper.read(owner))]
        return facts.within("\n".join(lines), _SHOWN_CHARS)

    async def learn(self, tool: str, lesson: str) -> None:
        """Note how a tool failed (`bot.memory.learning`). That this can't be stored is no reason to fail."""
        try:
            await self._database.write(
                partial(rows.learned, tool=tool, lesson=self._redact(lesson), now=self._clock())
            )
            await self.load()
        except StorageError as error:
            log.warning("a failure of %s was not noted: %s", tool, error)

    async def observe(self, idle_for: float) -> int:
        """Look at every private conversation in which nothing was said for so many seconds; returns how many yielded
        something.
        """
        now = self._clock()
        yielded = 0
        for session in await self._database.read(partial(rows.idle, before=now - idle_for)):
            found = await self._database.read(partial(rows.unobserved, session=session))
            if found:
                yielded += await self._observe(session, found)
        return yielded

    async def _observe(self, session: Session, found: Sequence[tuple[Message, str]]) -> bool:
        """Keep what these messages hold, for the person who wrote them: a chat may have had another one before."""
        by_person: dict[str, list[Message]] = {}
        for message, person in found:
            by_person.setdefault(person, []).append(message)
        observations = []
        for person, messages in by_person.items():
            forgotten = await self._database.read(partial(rows.forgotten, owner=person))
            one = observing.observed(person, session.key, messages, [Forgotten(*each) for each in forgotten])
            if one is not None and person:
                one.text = self._redact(one.text)
                observations.append(one)
        upto = found[-1][0].id or 0
        await self._database.write(
            partial(rows.observe, session=session.key, upto=upto, observations=observations)
        )
        return bool(observations)

    async def waiting(self) -> list[str]:
        """Everybody of whom reflection has not seen everything."""
        return [person for person, _, _ in await self._database.read(rows.people_to_reflect)]

    async def gathered(self) -> list[str]:
        """Those of them of whom enough has gathered, but for whom it has just come to nothing."""
        now = self._clock()
        return [
            person
            for person, count, size in await self._database.read(rows.people_to_reflect)
            if (count >= _ENOUGH or size >= _ENOUGH_CHARS)
            and not 0 <= now - self._failed.get(person, -_PATIENCE) < _PATIENCE
        ]

    async def reflect_if_possible(self, person: str, models: ModelClient) -> str:
        """As `reflect`; that nothing came of it is told in the line, and everything stays for the next time."""
        try:
            said = await self.reflect(person, models)
        except (NoModel, UnknownName, Unusable, TooLarge, OSError) as error:
            self._failed[person] = self._clock()
            return f"{person}: nothing came of it ({error})"
        self._failed.pop(person, None)
        return said

    async def reflect(self, person: str, models: ModelClient) -> str:
        """Let the model propose what to note of the oldest observations; returns one line on what came of it.

        Raises NoModel, UnknownName, `Unusable` where its reply is none, OSError, TooLarge; then nothing has changed.
        """
        async with self._reflecting:
            found = await self._database.read(partial(rows.to_reflect, person=person))
            seen = reflection.portion([Seen(one.id or 0, one.at, one.session, one.text) for one in found])
            return await self._reflect(person, models, seen) if seen else ""

    async def _reflect(self, person: str, models: ModelClient, seen: Sequence[Seen]) -> str:
        if all(candidate.info.tiny for candidate in models.candidates(ROLE)):
            raise Unusable("there is no model that can do this")
        request = ChatRequest(
            messages=reflection.question(self._redact(self.keeper.read(person)), seen),
            max_tokens=_ANSWER_TOKENS,
            temperature=0.0,
            timeout=_SECONDS,
            role=ROLE,
        )
        reply = await models.chat(ROLE, request)
        if reply.tiny:
            raise Unusable("the small built-in model can't do this")
        ids = [one.id for one in seen]
        try:
            proposed = reflection.proposals(reply.message.content, seen)
        except Unusable:
            await self._database.write(partial(rows.tried, observations=ids))
            raise
        changes = [change for change in proposed if self._redact(change.new) == change.new]
        applied = await self.keeper.change(person, changes, f"reflection by {reply.route}")
        if left_out := len(proposed) - len(applied.done):
            log.info("reflection on %s: %d of %d changes were left out", person, left_out, len(proposed))
        await self._database.write(partial(rows.reflected, observations=ids, now=self._clock()))
        return f"{person}: {len(applied.done)} facts changed from {len(seen)} conversations, by {reply.route}"

"""Memory as the rest of the bot sees it: what goes into a prompt, what is remembered and forgotten on request, what
reflection makes of finished conversations.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bot.memory import facts, observing, reflection
from bot.memory.facts import Applied, Change
from bot.memory.keeper import HOUSEHOLD, Keeper
from bot.memory.reflection import Seen, Unusable
from bot.storage import memory as rows
from bot.storage.database import Database
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


class Memory:
    """`clock` gives seconds since the epoch."""

    def __init__(self, database: Database, workspace: Path, clock: Callable[[], float]) -> None:
        self.keeper = Keeper(database, workspace, clock)
        self._database = database
        self._clock = clock
        self._lessons: list[tuple[str, str]] = []

    async def load(self) -> None:
        """Read what tools taught."""
        since = self._clock() - _LESSONS_SINCE
        self._lessons = await self._database.read(partial(rows.lessons, since=since, most=_LESSONS))

    def prompt(self, person: str) -> str:
        """What is known of a person and the household, within its budget, for the system prompt; "" for nothing."""
        own, shared = self.keeper.read(person), self.keeper.read(HOUSEHOLD)
        parts = []
        if own.strip():
            parts.append(f"What you remember about {person}:\n{_within(own, _PROMPT_CHARS)}")
        if shared.strip():
            parts.append(f"What everybody in the house knows:\n{_within(shared, _HOUSEHOLD_CHARS)}")
        if self._lessons:
            lines = "\n".join(f"- {tool}: {text}" for tool, text in self._lessons)
            parts.append(f"What went wrong with tools before:\n{lines}")
        return "\n\n".join(parts)

    async def remember(self, person: str, text: str, source: str, *, shared: bool = False) -> Applied:
        """Add a fact at once. Raises OSError."""
        owner = HOUSEHOLD if shared else person
        return await self.keeper.change(
            owner, [Change("add", new=text.strip(), source=source)], "asked to remember"
        )

    async def forget(self, person: str, words: str) -> list[str]:
        """Drop a person's facts that hold all of these words; returns them. A version before is kept."""
        found = facts.matching(self.keeper.read(person), words)
        changes = [Change("drop", old=fact.text) for fact in found]
        applied = await self.keeper.change(person, changes, "asked to forget", most_lost=1.0)
        return [change.old for change in applied.done]

    def known(self, person: str) -> str:
        """The text of /memory."""
        own = facts.parse(self.keeper.read(person))
        shared = facts.parse(self.keeper.read(HOUSEHOLD))
        lines = [f"- {fact.text}" for fact in own] or ["I know nothing about you yet."]
        lines += ["", "Everybody here may know:", *(f"- {fact.text}" for fact in shared)] if shared else []
        return "\n".join([*lines, "", f"It lies in {self.keeper.file(person)}; edit it as you like."])

    async def learn(self, tool: str, failure: str) -> None:
        """Note how a tool failed."""
        lesson = failure.strip().splitlines()[0][:200] if failure.strip() else ""
        if lesson:
            await self._database.write(partial(rows.learned, tool=tool, lesson=lesson, now=self._clock()))
            await self.load()

    async def observe(self, idle_for: float) -> int:
        """Look at every private conversation in which nothing was said for so many seconds; returns how many yielded
        something.
        """
        now = self._clock()
        yielded = 0
        for session in await self._database.read(partial(rows.idle, before=now - idle_for)):
            messages = await self._database.read(partial(rows.unobserved, session=session))
            if not messages:
                continue
            observation = observing.observed(session, messages, now)
            yielded += observation is not None
            upto = messages[-1].id or 0
            await self._database.write(
                partial(rows.observe, session=session.key, upto=upto, observation=observation)
            )
        return yielded

    async def waiting(self) -> list[tuple[str, int, int]]:
        """(person, observations, characters) of whatever reflection has not seen yet."""
        return await self._database.read(rows.people_to_reflect)

    async def reflect_if_possible(self, person: str, models: ModelClient) -> str:
        """As `reflect`; that nothing came of it is told in the line, and everything stays for the next time."""
        try:
            return await self.reflect(person, models)
        except (NoModel, UnknownName, Unusable) as error:
            return f"{person}: nothing came of it ({error})"

    async def reflect(self, person: str, models: ModelClient) -> str:
        """Let the model propose what to note of the oldest observations; returns one line on what came of it.

        Raises NoModel, UnknownName, `Unusable` where its reply is none; then nothing has changed.
        """
        found = await self._database.read(partial(rows.to_reflect, person=person))
        seen = reflection.portion([Seen(one.id or 0, one.at, one.session, one.text) for one in found])
        if not seen:
            return ""
        request = ChatRequest(
            messages=reflection.question(self.keeper.read(person), seen),
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
            changes = reflection.proposals(reply.message.content, seen)
        except Unusable:
            await self._database.write(partial(rows.tried, observations=ids))
            raise
        applied = await self.keeper.change(person, changes, f"reflection by {reply.route}")
        for line in applied.left_out:
            log.info("reflection on %s left out: %s", person, line)
        await self._database.write(partial(rows.reflected, observations=ids, now=self._clock()))
        return f"{person}: {len(applied.done)} facts changed from {len(seen)} conversations, by {reply.route}"


def _within(text: str, most: int) -> str:
    """The newest lines that fit, the heading left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    kept: list[str] = []
    for line in reversed(lines):
        plain = line.split("<!--")[0].rstrip()
        if sum(len(k) + 1 for k in kept) + len(plain) > most:
            return "\n".join(["(older ones are in the file)", *reversed(kept)])
        kept.append(plain)
    return "\n".join(reversed(kept))

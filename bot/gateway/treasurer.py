"""Tells the owner what is theirs to know: caps that are nearly or wholly used, each once in its day or month, and
keys, accounts and providers that stay broken until they do something; also over restarts.

Where an answer for the owner is due anyway, the line goes with it; else it goes to the private chat that they prefer,
or used last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bot.errors import StorageError
from bot.gateway.notices import clock
from bot.gateway.outbox import Outbox
from bot.gateway.people import outgoing
from bot.storage import ledger, sessions
from bot.storage.database import Database
from bot.storage.tables import Session
from providers import errors
from providers.budget import Standing
from providers.client import ModelClient
from providers.health import Rest, owner, title

_NEEDS = "needs "
"""What begins the key of something broken."""
_OF = {"Denied": "refused", "OutOfMoney": "out of credit", "Misconfigured": "not set up right"}
"""What is said of a key, an account or a provider."""
_LOOK_SECONDS = 600.0
"""How often we look without a turn that ended: scheduled jobs ask models, too."""


@dataclass(frozen=True, slots=True)
class Word:
    """What is to be told, and the `keys` by which it is remembered; both empty where there is nothing new."""

    text: str = ""
    keys: tuple[str, ...] = ()


class Treasurer:
    """`chats` gives those in which the owner can be written to, the best first."""

    def __init__(
        self,
        models: ModelClient,
        database: Database,
        outbox: Outbox,
        chats: Callable[[], Awaitable[Sequence[Session]]],
    ) -> None:
        self._models = models
        self._database = database
        self._outbox = outbox
        self._chats = chats
        self._told: set[str] = set()
        self._ended = asyncio.Event()

    async def load(self) -> None:
        """Take up what was told before the restart."""
        broken = {_need(rest) for rest in self._broken()}
        told = await self._database.read(ledger.told)
        self._told |= {key for key in told if not key.startswith(_NEEDS) or key in broken}

    def claim(self, now: float, said: Collection[str] = ()) -> Word:
        """What the owner doesn't know yet. Whoever claims it, tells it, and has it remembered in the transaction that
        stores the message. `said` are providers of which the same message says that they failed.
        """
        new = [s for s in self._models.standings() if s.level and _key(s) not in self._told]
        broken = {_need(rest): rest for rest in self._broken()}
        # What works again is told anew the next time.
        self._told -= {key for key in self._told if key.startswith(_NEEDS) and key not in broken}
        fresh = {key: rest for key, rest in broken.items() if key not in self._told}
        keys = (*(key for standing in new for key in _keys(standing)), *fresh)
        self._told |= set(keys)
        lines = [line(standing, now) for standing in new]
        lines += [needs_you(rest) for rest in fresh.values() if owner(rest.scope) not in said]
        return Word("\n".join(lines), keys)

    def _broken(self) -> Iterator[Rest]:
        """What stays broken until the owner does something. A model that is gone is no such thing: others stand in."""
        for provider in self._models.status():
            for rest in provider.rests:
                if rest.needs_owner and not rest.scope.startswith("model:"):
                    yield rest

    def turn_ended(self) -> None:
        self._ended.set()

    async def watch(self) -> None:
        """Tell what no answer told. Runs for ever."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._ended.wait()
            except TimeoutError:
                pass
            self._ended.clear()
            if any(standing.level for standing in self._models.standings()) or any(self._broken()):
                await self.tell()

    async def tell(self) -> None:
        """Write to the owner, if there is something new and a chat to write to."""
        chat = next(iter(await self._chats()), None)
        now = self._models.now()
        word = self.claim(now) if chat is not None else Word()
        if chat is None or not word.text:
            return
        rows = [outgoing(sessions.address_of(chat), word.text, now, "notice")]
        try:
            stored = await self._database.write(partial(ledger.tell, keys=word.keys, rows=rows, at=now))
        except StorageError:
            self._told -= set(word.keys)
            raise
        self._outbox.put(stored)


def line(standing: Standing, now: float) -> str:
    """One line on one cap."""
    cap = standing.cap
    whose = f" for {cap.role}" if cap.role else ""
    used = f"{cap.share(standing.spent)} a {cap.period}{whose}"
    if standing.level == "near":
        return f"💰 {standing.spent / cap.most:.0%} of a limit is used: {used}."
    until = clock(standing.until, now)
    return f"💰 A limit is reached: {used}. Models that cost money rest until {until}; free and local ones go on."


def needs_you(rest: Rest) -> str:
    """One line on what is broken."""
    summary = getattr(errors, rest.error, errors.ProviderError).summary
    detail = f" ({rest.detail})" if rest.detail and rest.detail != summary else ""
    return (
        f"🔧 {title(rest.scope)}: {_OF.get(rest.error, summary)}{detail}. `nanobot doctor` says what to do."
    )


def _need(rest: Rest) -> str:
    return f"{_NEEDS}{rest.scope} {rest.error}"


def _keys(standing: Standing) -> Iterator[str]:
    """What is told by telling of this one: whoever knows that a cap is reached, knows that it was near."""
    if standing.level == "reached":
        yield _key(standing, "near")
    yield _key(standing)


def _key(standing: Standing, level: str = "") -> str:
    cap = standing.cap
    return f"{cap.setting} {cap.most:g} {standing.begins:.0f} {level or standing.level}"

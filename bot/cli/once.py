"""`nanobot chat -m TEXT`: one question, its answer on standard output and nothing else there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress

from bot.cli.client import Attached, Client, Idle, Message
from bot.errors import BotError, NotRunning

_STOP_SECONDS = 3.0
_GOOD = ("", "Answered", "Told")
"""Outcomes that answer the question; the first is a command's."""

Show = Callable[[str], None]


async def ask(client: Client, text: str, answer: Show, aside: Show) -> int:
    """Send `text` and wait for what becomes of it; returns the exit code: 0 answered, 1 not.

    `answer` is given what was asked for; `aside` the rest: notices, earlier answers that nobody was there to read,
    and why there is no answer. Cancelled, it stops the answer in the making. Raises BotError.
    """
    question = _Question(client, text, answer, aside)
    try:
        return await question.run()
    except NotRunning as error:
        if not question.asked:
            raise
        raise NotRunning(
            "nanobot ended before it answered; `nanobot chat` shows the answer when it runs again"
        ) from error
    except asyncio.CancelledError:
        # Before that, what is being answered is somebody else's.
        if question.asked:
            with suppress(BotError, TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await _stop(client)
        raise


class _Question:
    def __init__(self, client: Client, text: str, answer: Show, aside: Show) -> None:
        self.asked = False
        self._client = client
        self._text = text
        self._answer = answer
        self._aside = aside
        # These act at once, whatever is being answered; /new waits for its turn like a question.
        self._urgent = text.startswith("/") and text.split(maxsplit=1)[0].lower() != "/new"

    async def run(self) -> int:
        answers: list[Message] = []
        async with aclosing(self._client.events()) as events:
            async for event in events:
                match event:
                    case Attached(busy=busy) if self._urgent or not busy:
                        await self._ask()
                    case Idle() if not self.asked:
                        await self._ask()
                    case Message(kind="reply", text=reply) if self.asked and self._urgent:
                        self._answer(reply)
                        return 0
                    case Message(kind=kind) if self.asked and not self._urgent and kind != "notice":
                        answers.append(event)
                    case Message(text=other):
                        self._aside(other)
                    case Idle(outcome) if answers:
                        return self._end(answers, outcome)
                    case Idle() if self._text == "/stop":
                        return 0
        raise AssertionError("the stream of events has no end")

    async def _ask(self) -> None:
        self.asked = True
        await self._client.say(self._text)

    def _end(self, answers: list[Message], outcome: str) -> int:
        good = outcome in _GOOD
        for message in answers:
            (self._answer if good else self._aside)(message.text)
        return 0 if good else 1


async def _stop(client: Client) -> None:
    """Have the answer stopped, and see it written down: a turn that is merely cut would go on at the next start."""
    await client.say("/stop")
    async with aclosing(client.events()) as events:
        async for event in events:
            if isinstance(event, Idle) or (isinstance(event, Attached) and not event.busy):
                return

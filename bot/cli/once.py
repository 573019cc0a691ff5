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
    try:
        return await _ask(client, text, answer, aside)
    except asyncio.CancelledError:
        with suppress(BotError, TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await _stop(client)
        raise


async def _ask(client: Client, text: str, answer: Show, aside: Show) -> int:
    # These act at once, whatever is being answered; /new waits for its turn like a question.
    urgent = text.startswith("/") and text.split(maxsplit=1)[0].lower() != "/new"
    answers: list[Message] = []
    asked = False
    async with aclosing(client.events()) as events:
        async for event in events:
            match event:
                case Attached(busy=busy) if urgent or not busy:
                    asked = True
                    await client.say(text)
                case Idle() if not asked:
                    asked = True
                    await client.say(text)
                case Message(kind="reply", text=reply) if asked and urgent:
                    answer(reply)
                    return 0
                case Message(kind=kind) if asked and not urgent and kind != "notice":
                    answers.append(event)
                case Message(text=other):
                    aside(other)
                case Idle(outcome) if answers:
                    return _end(answers, outcome, answer, aside)
                case Idle() if text == "/stop":
                    return 0
    raise NotRunning("nanobot ended before it answered; `nanobot chat` shows the answer when it runs again")


def _end(answers: list[Message], outcome: str, answer: Show, aside: Show) -> int:
    good = outcome in _GOOD
    for message in answers:
        (answer if good else aside)(message.text)
    return 0 if good else 1


async def _stop(client: Client) -> None:
    """Have the answer stopped, and see it written down: a turn that is merely cut would go on at the next start."""
    await client.say("/stop")
    async with aclosing(client.events()) as events:
        async for event in events:
            if isinstance(event, Idle) or (isinstance(event, Attached) and not event.busy):
                return

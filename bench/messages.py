"""What the two bots do with messages: one after the other, and many at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count

from bench import processes
from bench.subject import PEOPLE, Subject

_ANSWER_SECONDS = 30.0
_A_CHAT = 10
"""Messages in a row in one chat."""
_PAUSE = 0.02
"""Seconds before each of them: one person's message finds a bot that has put away the one before."""
_WORDS = "could you tell me in a few words what the weather in the mountains will be like?"


@dataclass(frozen=True, slots=True)
class Series:
    """Milliseconds: from each message to its answer, and of processor time a message."""

    latencies: list[float]
    processor: float


@dataclass(frozen=True, slots=True)
class Burst:
    """`seconds` until the last answer; `answers`: a bot may answer several messages of one chat together."""

    seconds: float
    answers: int


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process until it asks for messages, and until one that waited is answered."""

    ready: float
    answered: float


async def start(subject: Subject) -> Start:
    """Start and stop it, with a message waiting."""
    chat = PEOPLE[-1]
    text = f"Good morning, {_WORDS}"
    said = await subject.telegram.user_says(chat, text)
    began = await subject.start()
    answer = await subject.telegram.wait_for_text(
        chat, text, seconds=_ANSWER_SECONDS, after=said["message_id"]
    )
    polled = (await subject.polls())[0]["at"]
    await subject.stop()
    return Start(polled - began, answer.at - began)


async def series(subject: Subject, messages: int, chats: count[int]) -> Series:
    """So many messages, each some time after the answer to the one before; a new chat of `chats` for every ten."""
    before = processes.processor_seconds(subject.session)
    latencies: list[float] = []
    for first in range(0, messages, _A_CHAT):
        latencies += await _conversation(subject, _next(chats), min(_A_CHAT, messages - first))
    spent = processes.processor_seconds(subject.session) - before
    return Series(latencies, 1000 * spent / messages)


async def talk(subject: Subject, messages: int, chat: int) -> Series:
    """As `series`, all in this chat."""
    before = processes.processor_seconds(subject.session)
    latencies = await _conversation(subject, chat, messages)
    spent = processes.processor_seconds(subject.session) - before
    return Series(latencies, 1000 * spent / messages)


async def long_chat(subject: Subject, messages: int, last: int) -> list[float]:
    """The milliseconds that the last so many messages of one chat took to be answered."""
    return (await _conversation(subject, PEOPLE[-1], messages))[-last:]


async def burst(subject: Subject, messages: int, chats: int) -> Burst:
    """All at once, dealt out to so many chats; over when every one of them stands in an answer."""
    tg = subject.telegram
    await tg.ask("forget")
    texts = {
        PEOPLE[chat]: [f"Question {n} of {chat}: {_WORDS}" for n in range(messages // chats)]
        for chat in range(chats)
    }
    said = [
        {"chat_id": chat, "text": text}
        for of_one in zip(*texts.values(), strict=True)
        for chat, text in zip(texts, of_one, strict=True)
    ]
    await tg.ask("say_all", messages=said)
    for chat, own in texts.items():
        for text in reversed(own):
            await tg.wait_for_text(chat, text, seconds=_ANSWER_SECONDS)
    shown = [message for chat in texts for message in await tg.chat(chat)]
    began = min(message.at for message in shown if not message.from_bot)
    answers = [message for message in shown if message.from_bot]
    return Burst(max(message.at for message in answers) - began, len(answers))


async def _conversation(subject: Subject, chat: int, messages: int) -> list[float]:
    tg = subject.telegram
    await tg.ask("forget")
    for number in range(messages):
        await asyncio.sleep(_PAUSE)
        text = f"Message {number}: {_WORDS}"
        said = await tg.user_says(chat, text)
        await tg.wait_for_text(chat, text, seconds=_ANSWER_SECONDS, after=said["message_id"])
    shown = await tg.chat(chat)
    asked = [message.at for message in shown if not message.from_bot]
    answered = [message.at for message in shown if message.from_bot]
    return [1000 * (after - before) for before, after in zip(asked, answered, strict=True)]


def _next(chats: count[int]) -> int:
    return PEOPLE[next(chats) % len(PEOPLE)]

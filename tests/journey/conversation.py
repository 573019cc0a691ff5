"""A running bot in this process with a person at its terminal, for tests that follow a message all the way."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bot import app
from bot.app import App
from bot.config import load_config
from channels.terminal import Listener, Piece, Preview, TerminalChannel
from channels.testing import LoopbackChannel
from providers.registry import FoundProvider
from tests.fakes.llm import LLMFake, Script


@dataclass
class Heard:
    """What the person read until nothing more was to come, by kind."""

    answers: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    previews: list[str] = field(default_factory=list)

    @property
    def answer(self) -> str:
        assert len(self.answers) == 1, self
        return self.answers[0]

    @property
    def question(self) -> str:
        assert len(self.questions) == 1, self
        return self.questions[0]

    @property
    def code(self) -> str:
        """What `/approve` takes."""
        found = re.search(r"/approve (\w+)", self.question)
        assert found is not None
        return found[1]


class Conversation:
    def __init__(self, app: App, listener: Listener) -> None:
        self.app = app
        self._listener = listener
        terminal = app.channels["terminal"]
        assert isinstance(terminal, TerminalChannel)
        self._terminal = terminal

    async def say(self, text: str) -> None:
        await self._terminal.submit(text)

    async def ask(self, text: str) -> Heard:
        await self.say(text)
        return await self.hear()

    async def shows(self, text: str, seconds: float = 30.0) -> None:
        """Wait until the unfinished answer begins with this."""
        async with asyncio.timeout(seconds):
            while True:
                event = await self._listener.next(seconds)
                if isinstance(event, Preview) and event.text.startswith(text):
                    return

    async def hear_answer(self, seconds: float = 30.0) -> Heard:
        """As `hear`, but wait for an answer that comes by itself."""
        async with asyncio.timeout(seconds):
            while True:
                heard = await self.hear(seconds)
                if heard.answers:
                    return heard

    async def hear_question(self, seconds: float = 30.0) -> Heard:
        """As `hear`, but wait for a question about something done elsewhere."""
        async with asyncio.timeout(seconds):
            while True:
                heard = await self.hear(seconds)
                if heard.questions:
                    return heard

    async def hear(self, seconds: float = 20.0) -> Heard:
        """Everything until the bot has nothing left to do for this conversation."""
        heard = Heard()
        session = self._terminal.session
        async with asyncio.timeout(seconds):
            while True:
                event = await self._listener.next(0.02)
                if isinstance(event, Piece):
                    kinds = {
                        "answer": heard.answers,
                        "notice": heard.notices,
                        "reply": heard.replies,
                        "question": heard.questions,
                        "message": heard.messages,
                    }
                    kinds[event.out.kind].append(event.out.text)
                elif event is not None:
                    heard.previews.append(event.text)
                elif not self.app.bus.pending(session) and not self.app.outbox.pending(session):
                    return heard


@asynccontextmanager
async def running(
    folder: Path,
    config: str,
    found: Sequence[FoundProvider] = (),
    clock: Callable[[], float] = time.time,
    channels: Sequence[LoopbackChannel] = (),
) -> AsyncIterator[App]:
    """Start a bot with this configuration and its data in `folder`; stop it gently.

    `found` is what there is on the machine; it may change meanwhile. `channels` run instead of those configured;
    strangers on one that is called mail are never answered.
    """
    file = folder / "config.toml"
    file.write_text(config)
    file.chmod(0o600)
    env = {"HOME": os.environ["HOME"]}

    async def look(_env: Mapping[str, str]) -> Sequence[FoundProvider]:
        return list(found)

    start = app.Start(
        load_config(file, env),
        folder / "data",
        env,
        look=look,
        clock=clock,
        load=lambda: load_config(file, env),
        open_channels=(lambda _host: {channel.kind: channel for channel in channels}) if channels else None,
        silent=frozenset({"mail"}),
    )
    async with app.opened(start) as opened:
        yield opened
        await opened.stop(5.0)


@asynccontextmanager
async def talking(
    folder: Path,
    config: str,
    found: Sequence[FoundProvider] = (),
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Conversation]:
    """As `running`, with a terminal attached."""
    async with running(folder, config, found, clock) as opened:
        terminal = opened.channels["terminal"]
        assert isinstance(terminal, TerminalChannel)
        async with terminal.listen() as listener:
            yield Conversation(opened, listener)


class _Cut(Exception):
    pass


@asynccontextmanager
async def cut_off(
    folder: Path, config: str, clock: Callable[[], float] = time.time
) -> AsyncIterator[Conversation]:
    """As `talking`, and ended without any stop, much like a process that is killed."""
    with suppress(_Cut):
        async with talking(folder, config, clock=clock) as chat:
            yield chat
            raise _Cut


def always(reply: Script, *first: Script) -> LLMFake:
    """A model's server that says `first`, in order, and then `reply` for ever."""
    llm = LLMFake(*first)
    llm.default = reply
    return llm


def trusted(name: str, tier: str = "capable") -> str:
    """The settings by which the fake model of a provider isn't a weak one."""
    return f'[providers.{name}.model_info."fake-1"]\ntier = "{tier}"\n'


def provider(name: str, base_url: str, **more: object) -> str:
    lines = [f"[providers.{name}]", f'api_base = "{base_url}"', 'default_model = "fake-1"']
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in more.items())]) + "\n"

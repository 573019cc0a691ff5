"""The interactive chat: what it shows, what its keys do, how it bears a bot that goes away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from rich.console import Console

from bot.cli.chat import Chat, Commands, Interrupts, Patience, fitting
from bot.cli.client import Client
from bot.errors import BotError
from tests.fakes.control import FakeControl, attached, idle, message, preview

ENTER, ALT_ENTER, CTRL_C, CTRL_D = "\r", "\x1b\r", "\x03", "\x04"
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Terminal:
    """A person before a chat: `keys` types, `above` holds what was printed for good, `screen` every redraw."""

    keys: PipeInput
    above: StringIO
    screen: StringIO
    chatting: asyncio.Task[None]

    async def type(self, *texts: str) -> None:
        for text in texts:
            self.keys.send_text(text)
            await asyncio.sleep(0)

    async def sees(self, text: str) -> None:
        await until(lambda: text in self.above.getvalue())

    async def sees_growing(self, text: str) -> None:
        await until(lambda: text in _CODES.sub("", self.screen.getvalue()))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30.0):
        while not holds():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def at_terminal(
    client: Client, history: History | None = None, patience: Patience | None = None
) -> AsyncIterator[Terminal]:
    above, screen = StringIO(), StringIO()
    output = Vt100_Output(screen, lambda: Size(rows=24, columns=80), term="xterm", enable_cpr=False)
    with create_pipe_input() as keys, create_app_session(input=keys, output=output):
        chat = Chat(client, Console(file=above, width=80), history or InMemoryHistory(), patience)
        task = asyncio.create_task(chat.run())
        try:
            yield Terminal(keys, above, screen, task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def left(terminal: Terminal) -> None:
    async with asyncio.timeout(30.0):
        await terminal.chatting


async def test_what_is_typed_is_sent_and_the_answer_shown(control: FakeControl, client: Client) -> None:
    control.answers = lambda text: [preview("Go"), message("Good **morning**"), idle()]
    async with at_terminal(client) as terminal:
        await terminal.type("hello", ENTER)
        await terminal.sees("Good morning")
        await terminal.type(CTRL_D)
        await left(terminal)

    assert control.said == ["hello"]


async def test_an_answer_is_seen_growing_and_printed_once(control: FakeControl, client: Client) -> None:
    async with at_terminal(client) as terminal:
        await control.streaming()
        control.send(preview("The first words"))
        await terminal.sees_growing("The first words")
        control.send(preview("XYZZY"))  # no letter in its old place: only what changed is drawn
        await terminal.sees_growing("XYZZY")
        assert terminal.above.getvalue() == ""
        control.send(message("XYZZY and more"), idle())
        await terminal.sees("XYZZY and more")

        assert terminal.above.getvalue().count("XYZZY") == 1
        assert "The first words" not in terminal.above.getvalue()


async def test_what_nobody_read_comes_first(control: FakeControl, client: Client) -> None:
    control.on_attach = [attached(busy=True), message("from yesterday"), idle()]
    async with at_terminal(client) as terminal:
        await terminal.sees("from yesterday")


async def test_notices_and_replies_are_shown(control: FakeControl, client: Client) -> None:
    async with at_terminal(client) as terminal:
        await control.streaming()
        control.send(message("⚠️ a is out of credit; b answers instead.", "notice"))
        control.send(message("Ready.\nModel: b", "reply"), idle(""))
        await terminal.sees("b answers instead")
        await terminal.sees("Ready.")
        await until(
            lambda: any(line.strip() == "Model: b" for line in terminal.above.getvalue().splitlines())
        )


async def test_a_model_can_not_steer_the_terminal(control: FakeControl, client: Client) -> None:
    async with at_terminal(client) as terminal:
        await control.streaming()
        control.send(message("before \x1b]0;title\x07 \x9b2J after"), idle())
        await terminal.sees("after")

        assert not set("\x1b\x07\x9b") & set(terminal.above.getvalue())


async def test_alt_enter_makes_a_line_and_enter_sends(control: FakeControl, client: Client) -> None:
    async with at_terminal(client) as terminal:
        await terminal.type("one", ALT_ENTER, "two", ENTER)
        await control.heard("one\ntwo")


async def test_what_is_pasted_keeps_its_lines(control: FakeControl, client: Client) -> None:
    async with at_terminal(client) as terminal:
        await terminal.type("\x1b[200~one\rtwo\r\x1b[201~", ENTER)
        await control.heard("one\ntwo")


async def test_more_can_be_said_while_an_answer_is_made(control: FakeControl, client: Client) -> None:
    control.answers = lambda text: [preview("Let me think")]
    async with at_terminal(client) as terminal:
        await terminal.type("hello", ENTER)
        await terminal.sees_growing("Let me think")
        await terminal.type("and quickly", ENTER)
        await control.heard("and quickly")


async def test_ctrl_c_stops_the_answer_and_twice_leaves(control: FakeControl, client: Client) -> None:
    control.answers = lambda text: [preview("Let me think")] if text == "hello" else []
    async with at_terminal(client) as terminal:
        await terminal.type("hello", ENTER)
        await terminal.sees_growing("Let me think")
        await terminal.type(CTRL_C)
        await control.heard("/stop")
        assert not terminal.chatting.done()
        await terminal.type(CTRL_C)
        await left(terminal)
        assert "when you come back" not in terminal.above.getvalue()


async def test_leaving_an_answer_in_the_making_says_what_becomes_of_it(
    control: FakeControl, client: Client
) -> None:
    control.answers = lambda text: [preview("Let me think")]
    async with at_terminal(client) as terminal:
        await terminal.type("hello", ENTER)
        await terminal.sees_growing("Let me think")
        await terminal.type(CTRL_D)
        await left(terminal)
        assert "when you come back" in terminal.above.getvalue()


async def test_ctrl_c_empties_the_line_first(control: FakeControl, client: Client) -> None:
    async with at_terminal(client) as terminal:
        await terminal.type("half a tho", CTRL_C, "whole", ENTER)
        await control.heard("whole")

    assert control.said == ["whole"]


async def test_a_bot_that_went_away_is_waited_for(control: FakeControl, client: Client) -> None:
    async with at_terminal(client, patience=Patience(retry=0.01)) as terminal:
        await control.streaming()
        control.drop()
        await terminal.sees("nanobot is away")
        await terminal.sees("nanobot is back")
        control.drop()
        await until(lambda: terminal.above.getvalue().count("nanobot is back") == 2)
        control.send(message("still here"), idle())
        await terminal.sees("still here")


async def test_a_bot_that_stays_away_ends_the_chat_with_a_line(control: FakeControl, client: Client) -> None:
    async with at_terminal(client, patience=Patience(retry=0.01, most=0.05)) as terminal:
        await control.streaming()
        control.replies["GET /v1/terminal"] = (503, {"error": "starting"})
        control.drop()
        with pytest.raises(ExceptionGroup) as raised:
            await left(terminal)

    assert raised.group_contains(BotError)


async def test_what_could_not_be_sent_is_given_back(control: FakeControl, client: Client) -> None:
    control.replies["POST /v1/terminal"] = (500, {"error": "the disk is full"})
    async with at_terminal(client) as terminal:
        await terminal.type("precious", ENTER)
        await terminal.sees("Not sent: the disk is full")
        del control.replies["POST /v1/terminal"]
        await terminal.type(ENTER)
        await control.heard("precious")


async def test_what_was_typed_is_remembered(control: FakeControl, client: Client) -> None:
    history = InMemoryHistory()
    async with at_terminal(client, history) as terminal:
        await terminal.type("hello", ENTER)
        await control.heard("hello")

    assert history.get_strings() == ["hello"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("/st", {"/stop", "/status"}),
        ("/MO", {"/model"}),
        ("/model x", set()),
        ("stop", set()),
        ("/etc/hosts", set()),
    ],
)
def test_slash_commands_are_completed(typed: str, offered: set[str]) -> None:
    found = Commands().get_completions(Document(typed), CompleteEvent())

    assert {completion.text for completion in found} == offered


def test_interrupts() -> None:
    interrupts = Interrupts()

    assert interrupts.press(100.0, busy=True, typed=False) == "stop"
    assert interrupts.hinting(101.9)
    assert not interrupts.hinting(102.0)
    assert interrupts.press(102.0, busy=True, typed=False) == "stop"
    assert interrupts.press(110.0, busy=True, typed=True) == "clear"
    assert interrupts.press(120.0, busy=False, typed=False) == "hint"
    assert interrupts.press(121.0, busy=False, typed=False) == "leave"


@pytest.mark.parametrize(("columns", "shown"), [(40, "one · two"), (9, "one · two"), (8, "one"), (1, "one")])
def test_only_whole_hints_stand_in_a_narrow_terminal(columns: int, shown: str) -> None:
    assert fitting(("one", "two", "t" * 40), columns) == shown

"""`nanobot chat -m`: the answer and nothing else, and an exit code that tells."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from bot.cli.client import Client
from bot.cli.once import ask
from bot.errors import BotError, NotRunning
from tests.fakes.control import FakeControl, attached, idle, message, preview


@dataclass
class Shown:
    answers: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    code: int = -1


async def asking(client: Client, text: str) -> Shown:
    shown = Shown()
    async with asyncio.timeout(30.0):
        shown.code = await ask(client, text, shown.answers.append, shown.aside.append)
    return shown


@pytest.mark.parametrize("outcome", ["Answered", "Told"])
async def test_an_answer_goes_out_alone(control: FakeControl, client: Client, outcome: str) -> None:
    control.answers = lambda text: [preview("It"), message(f"It is {text}"), idle(outcome)]

    assert await asking(client, "noon") == Shown(["It is noon"], [], 0)


@pytest.mark.parametrize("outcome", ["NoModelLeft", "Failed", "Stopped", "OutOfSteps", "OutOfTime"])
async def test_what_is_no_answer_goes_aside_and_fails(
    control: FakeControl, client: Client, outcome: str
) -> None:
    control.answers = lambda text: [message("No model can answer"), idle(outcome)]

    assert await asking(client, "hello") == Shown([], ["No model can answer"], 1)


async def test_notices_go_aside(control: FakeControl, client: Client) -> None:
    control.answers = lambda text: [message("a is back", "notice"), message("Yes"), idle()]

    assert await asking(client, "hello") == Shown(["Yes"], ["a is back"], 0)


async def test_all_pieces_of_an_answer_come_out(control: FakeControl, client: Client) -> None:
    control.answers = lambda text: [message("one"), message("two"), idle()]

    assert (await asking(client, "hello")).answers == ["one", "two"]


async def test_answers_that_nobody_read_are_no_answer_to_this(control: FakeControl, client: Client) -> None:
    control.on_attach = [attached(busy=True), message("from yesterday"), idle()]
    control.answers = lambda text: [message("from today"), idle()]

    assert await asking(client, "hello") == Shown(["from today"], ["from yesterday"], 0)


async def test_a_question_waits_for_the_answer_under_way(control: FakeControl, client: Client) -> None:
    control.on_attach = [attached(busy=True)]
    async with asyncio.TaskGroup() as group:
        asking_ = group.create_task(asking(client, "hello"))
        await control.streaming()
        control.send(preview("the other"))
        assert control.said == []
        control.answers = lambda text: [message("yours"), idle()]
        control.send(message("the other one"), idle())

    assert asking_.result() == Shown(["yours"], ["the other one"], 0)


async def test_a_command_replies_at_once_while_something_is_answered(
    control: FakeControl, client: Client
) -> None:
    control.on_attach = [attached(busy=True), message("from yesterday")]
    control.answers = lambda text: [message("Busy.", "reply")]

    assert await asking(client, "/status") == Shown(["Busy."], ["from yesterday"], 0)


async def test_stop_is_done_when_nothing_runs_any_more(control: FakeControl, client: Client) -> None:
    control.on_attach = [attached(busy=True)]
    control.answers = lambda text: [message("⏹ Stopped."), idle("Stopped")]

    assert await asking(client, "/stop") == Shown([], ["⏹ Stopped."], 0)


async def test_new_waits_like_a_question(control: FakeControl, client: Client) -> None:
    control.on_attach = [attached(busy=True), message("from yesterday"), idle()]
    control.answers = lambda text: [message("A new conversation."), idle("Told")]

    assert await asking(client, "/new") == Shown(["A new conversation."], ["from yesterday"], 0)


async def test_cancelled_it_has_the_answer_stopped(control: FakeControl, client: Client) -> None:
    control.answers = lambda text: [idle("Stopped")] if text == "/stop" else [preview("So")]
    question = asyncio.ensure_future(asking(client, "hello"))
    await control.heard("hello")

    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question

    assert control.said == ["hello", "/stop"]


async def test_cancelled_while_it_waits_it_stops_nobody_else(control: FakeControl, client: Client) -> None:
    control.on_attach = [attached(busy=True)]
    question = asyncio.ensure_future(asking(client, "hello"))
    await control.streaming()

    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question

    assert control.said == []


async def test_a_bot_that_goes_away_is_no_answer(control: FakeControl, client: Client) -> None:
    question = asyncio.ensure_future(asking(client, "hello"))
    await control.heard("hello")
    control.drop()

    with pytest.raises(NotRunning, match="before it answered"):
        await question


async def test_a_refused_question_says_why(control: FakeControl, client: Client) -> None:
    control.replies["POST /v1/terminal"] = (400, {"error": "the message is too long"})

    with pytest.raises(BotError, match="too long"):
        await asking(client, "hello")

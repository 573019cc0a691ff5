"""The client side of the control socket: finding it, reading its stream, telling its errors."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import paths
from bot.cli.client import Attached, Client, Event, Idle, Message, Preview, parse, search
from bot.cli.options import Options
from bot.errors import BotError, NotRunning
from tests.fakes.control import FakeControl, attached, idle, message, preview


async def received(client: Client, most: int) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(30.0), aclosing(client.events()) as stream:
        async for event in stream:
            events.append(event)
            if len(events) == most:
                return events
    return events


async def test_a_running_bot_is_found(control: FakeControl, options: Options) -> None:
    assert search(options.sockets).found == control.path


def test_nothing_is_found_where_nothing_listens(options: Options) -> None:
    assert search(options.sockets).found is None


def test_a_socket_that_a_killed_bot_left_is_passed_over(options: Options) -> None:
    path = paths.socket_path(options.data_folder, options.env)
    paths.make_socket_folder(path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()
    assert path.exists()

    assert search(options.sockets).found is None


async def test_events_arrive_in_order_and_pings_do_not(control: FakeControl, client: Client) -> None:
    control.on_attach = [attached(busy=True), {"type": "ping"}, preview("Hel"), message("Hello"), idle()]

    assert await received(client, 4) == [
        Attached("terminal:main", busy=True),
        Preview("Hel"),
        Message("answer", "Hello"),
        Idle("Answered"),
    ]


async def test_a_stream_that_ends_means_that_the_bot_has_gone(control: FakeControl, client: Client) -> None:
    receiving = asyncio.create_task(received(client, 2))
    await control.streaming()
    control.drop()

    with pytest.raises(NotRunning):
        await receiving


async def test_nobody_there_is_told_as_such(tmp_path: Path) -> None:
    async with Client(tmp_path / "none.sock") as client:
        with pytest.raises(NotRunning, match="is it running"):
            await client.status()
        with pytest.raises(NotRunning):
            await received(client, 1)


async def test_what_the_bot_says_against_a_request_is_the_error(control: FakeControl, client: Client) -> None:
    control.replies["POST /v1/pairings/ABC"] = (404, {"error": "no pairing code ABC"})

    with pytest.raises(BotError, match=r"^no pairing code ABC$"):
        await client.approve("ABC", "")


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", "[1]", '{"error": ""}'])
async def test_an_error_without_words_gives_its_status(
    control: FakeControl, client: Client, body: str
) -> None:
    control.replies["GET /v1/status"] = (502, body)

    with pytest.raises(BotError, match="502"):
        await client.status()


async def test_an_answer_that_is_no_json_is_no_traceback(control: FakeControl, client: Client) -> None:
    control.replies["GET /v1/status"] = (200, "hello")

    with pytest.raises(BotError, match="something else than JSON"):
        await client.status()


async def test_names_are_escaped_on_their_way(control: FakeControl, client: Client) -> None:
    control.replies["GET /v1/resolve?name=a%2Fb%26c"] = (200, {"name": "a/b&c", "routes": [], "steps": []})

    assert (await client.resolve("a/b&c"))["name"] == "a/b&c"


async def test_pairing_says_who_it_is(control: FakeControl, client: Client) -> None:
    control.replies["POST /v1/pairings/ABC"] = (
        200,
        {"person": "anna", "role": "user", "channel": "telegram"},
    )

    await client.approve("ABC", "anna")
    await client.refuse("ABC")

    assert [body for _, body in control.asked] == [
        {"action": "approve", "name": "anna"},
        {"action": "refuse", "name": ""},
    ]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
)
_EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["attached", "preview", "message", "idle", "ping"])},
    optional=dict.fromkeys(("text", "kind", "busy", "session", "outcome"), _VALUES),
)


@given(st.text() | (_VALUES | _EVENTS).map(json.dumps))
def test_no_line_breaks_the_reader(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ['{"type": "reaction"}', '{"type": "preview"}', "[]", "nonsense", ""])
def test_what_a_newer_bot_adds_is_passed_over(line: str) -> None:
    assert parse(line) is None

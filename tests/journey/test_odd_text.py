"""Text that is no valid Unicode, wherever it comes from, costs nobody an answer."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.gateway.people import Roster
from channels.testing import LoopbackChannel
from channels.types import Address, Inbound, Sender
from tests.fakes.llm import LLMFake, Raw, Reply
from tests.journey.conversation import provider, running, talking

HALF = "\ud83d"
"""Half of an emoji, as a program that cuts text by UTF-16 units leaves it."""


async def test_half_a_character_from_the_model_is_replaced(tmp_path: Path) -> None:
    deltas = ["Hello ", "\\ud83d", "\\ude00", " and \\ud83d."]
    lines = [f'data: {{"choices": [{{"delta": {{"content": "{delta}"}}}}]}}' for delta in deltas]
    end = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}'
    body = "\n\n".join([*lines, end, "data: [DONE]", ""])
    answer = Reply(raw=Raw(200, body, "text/event-stream"))
    async with LLMFake(answer) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        assert (await chat.ask("hello")).answer == "Hello 😀 and \N{REPLACEMENT CHARACTER}."
        assert (await chat.ask("again")).answer == "You said: again"


@pytest.mark.parametrize("status", [400, 401, 404, 500])
async def test_half_a_character_in_what_a_server_says_of_its_failure(tmp_path: Path, status: int) -> None:
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        llm.default = Reply.error(status, '{"error": {"message": "no \\ud83d here"}}')
        assert "(no here)" in (await chat.ask("hello")).answer


@pytest.mark.parametrize(("id_", "name"), [("c\\ud83d", "clock"), ("c", "cl\\ud83dock")])
async def test_half_a_character_in_a_calls_names(tmp_path: Path, id_: str, name: str) -> None:
    function = f'{{"name": "{name}", "arguments": "{{}}"}}'
    call = f'{{"index": 0, "id": "{id_}", "type": "function", "function": {function}}}'
    delta = f'data: {{"choices": [{{"delta": {{"tool_calls": [{call}]}}}}]}}'
    end = 'data: {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}'
    calling = Reply(raw=Raw(200, f"{delta}\n\n{end}\n\ndata: [DONE]\n\n", "text/event-stream"))
    llm = LLMFake(calling, Reply("Done."))
    async with llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        assert (await chat.ask("what time is it?")).answer == "Done."
        assert (await chat.ask("again")).answer == "You said: again"


async def test_half_a_character_from_the_person_is_replaced(tmp_path: Path) -> None:
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        assert (await chat.ask(f"hello {HALF}")).answer == "You said: hello \N{REPLACEMENT CHARACTER}"


async def test_a_file_whose_name_is_no_text_is_listed(tmp_path: Path) -> None:
    (tmp_path / "data" / "workspace").mkdir(parents=True)
    odd = os.fsencode(tmp_path / "data" / "workspace") + b"/caf\xe9.txt"
    Path(os.fsdecode(odd)).write_text("x")
    llm = LLMFake(Reply.tool("files_list", {}), Reply("One file."))
    async with llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        assert (await chat.ask("list")).answer == "One file."
        listed = llm.requests[-1].body["messages"][-1]["content"].splitlines()
        assert "caf\N{REPLACEMENT CHARACTER}.txt  1 bytes" in listed


async def test_half_a_character_in_a_tools_arguments_is_replaced(tmp_path: Path) -> None:
    call = Reply.tool("files_write", '{"path": "\\ud83d.txt", "text": "\\ud83d"}')
    async with LLMFake(call, Reply("Done.")) as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        assert (await chat.ask("write")).answer == "Done."
        assert (await chat.ask("again")).answer == "You said: again"


async def test_half_a_character_in_a_command_and_in_a_strangers_name(tmp_path: Path) -> None:
    channel = LoopbackChannel("chat")
    async with LLMFake() as llm, running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app:
        app.people.adopt(Roster(app.people.owner, {("chat", "1"): app.people.owner}, {}))
        channel.say(f"/model caf{HALF}")
        at, named = datetime.now(UTC), Sender("2", f"Eve {HALF}")
        channel.deliver(Inbound("k", Address("chat", "2"), named, "hello", at))
        await channel.until(lambda: channel.seen("1") and channel.seen("2"))
        assert "caf\N{REPLACEMENT CHARACTER}" in channel.seen("1")[0]
        assert [one.sender_name for one in await app.people.pending()] == ["Eve \N{REPLACEMENT CHARACTER}"]

"""Each example of docs/EXTENDING.md is loaded as any file of its folder is, and used once, all the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import plugins
from bot.gateway.people import Roster
from bot.schedule.spec import JobSpec
from bot.toolbox import ToolSpec
from channels.base import ChannelSpec
from channels.testing import LoopbackChannel
from providers.base import ProviderSpec
from tests.docs.pages import ROOT, read
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, running, talking, trusted

pytestmark = pytest.mark.usefixtures("examples")


async def until(there: Callable[[], object], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not there():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("package", "name", "kind"),
    [
        ("bot.tools", "disk", ToolSpec),
        ("bot.jobs", "todo", JobSpec),
        ("providers.adapters", "plain", ProviderSpec),
        ("channels.adapters", "letterbox", ChannelSpec),
    ],
)
def test_it_is_loaded_by_its_name(package: str, name: str, kind: type[object]) -> None:
    assert isinstance(plugins.load(package, name, kind), kind)


def test_every_open_folder_has_its_example() -> None:
    notes = [
        block.note for block in read(ROOT / "docs" / "EXTENDING.md").blocks if block.language == "python"
    ]
    folders = {note.removeprefix("file: ").rpartition("/")[0] for note in notes}
    assert folders == {"bot/tools", "bot/jobs", "providers/adapters", "channels/adapters"}


async def test_the_tool_is_called_by_a_model(tmp_path: Path) -> None:
    call, wrong = Reply.tool("disk_free", {"path": "/"}), Reply.tool("disk_free", {"path": "/nowhere"})
    async with LLMFake(call, wrong, Reply("Enough.")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + trusted("one")) as chat:
            assert (await chat.ask("how much room is there?")).answer == "Enough."
        _, found, missing = [request.body["messages"][-1]["content"] for request in llm.requests]
    assert "are free at /" in found
    assert missing == "There is no /nowhere; ask for / or another mount point."


async def test_the_job_tells_what_is_to_be_done(tmp_path: Path) -> None:
    chat = LoopbackChannel("chat")
    async with LLMFake(Reply("Hello.")) as llm:
        async with running(tmp_path, provider("one", llm.base_url), channels=(chat,)) as app:
            app.people.adopt(Roster(app.people.owner, {("chat", "1"): app.people.owner}, {}))
            chat.say("hello")
            await chat.until(chat.seen)
            assert (await app.jobs.run("todo", 10.0))["outcome"] == ""
            (app.intake.workspace / "todo.md").write_text("- [x] sleep\n- [ ] the roof\n- [ ] the bill\n")

            job = await app.jobs.run("todo", 10.0)

            assert (job["outcome"], job["failed"]) == ("told of 2 open points", False)
            await chat.until(lambda: chat.seen()[1:] == ["Still to do:\n- the roof\n- the bill"])


async def test_the_provider_answers(tmp_path: Path) -> None:
    """A server of its kind is asked, and answers in two pieces."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:")
        )
        asked.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nKnow ")
        await writer.drain()
        writer.write(b"thyself.")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = f"""
[providers.oracle]
kind = "plain"
api_base = "http://127.0.0.1:{port}/ask"
default_model = "delphi"
"""
    async with talking(tmp_path, config) as chat:
        assert (await chat.ask("what shall I do?")).answer == "Know thyself."
        server.close()
        heard = await chat.ask("and then?")
    assert asked[0].endswith(b"what shall I do?")
    assert "oracle" in heard.answer + "".join(heard.notices), "its failure is told like any other's"


async def test_the_channel_carries_a_message_and_its_answer(tmp_path: Path) -> None:
    letters = tmp_path / "letters"
    (letters / "anna" / "in").mkdir(parents=True)
    (letters / "ben" / "in").mkdir(parents=True)
    async with LLMFake(Reply("Dear Anna")) as llm:
        config = (
            provider("one", llm.base_url)
            + f"""
[channels.letterbox]
folder = "{letters}"
seconds = 0.01

[people.anna]
role = "owner"
letterbox = "anna"
"""
        )
        async with running(tmp_path, config) as app:
            for person in ("ben", "anna"):
                draft = tmp_path / f"{person}.txt"
                draft.write_text(f"{person} says hello")
                draft.rename(letters / person / "in" / "1.txt")
            await until(lambda: list(letters.glob("anna/out/*.txt")))
            await until(lambda: not list(letters.glob("*/in/*")))
            assert app.channels["letterbox"].status.up
        assert [request.body["messages"][-1]["content"] for request in llm.requests] == ["anna says hello"]
    assert [file.read_text() for file in letters.glob("*/out/*")] == ["Dear Anna"], "a stranger gets nothing"

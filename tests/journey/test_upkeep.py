"""Upkeep by hand, as an owner types it: what waits, backups under load, one person's data, a look before an upgrade."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sqlite3
import zipfile
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.client import Client
from bot.gateway.people import Person, Roster
from bot.safety.rules import Role
from channels.errors import NotSent, Refused
from channels.testing import LoopbackChannel
from channels.types import Attachment, Media, Outbound, Receipt
from tests.fakes.llm import LLMFake, Pace, Reply
from tests.journey.conversation import provider, running, talking, trusted
from tests.journey.test_command_line import Machine
from tests.journey.test_handing_on import two

ANN, BOB = Person("ann", Role.USER), Person("bob", Role.USER)


async def nanobot(machine: Machine, *arguments: str) -> tuple[int, str]:
    process = await machine.start(*arguments)
    out, error = await process.communicate()
    return process.returncode or 0, (out + error).decode()


async def test_a_backup_taken_while_people_write_restores_into_a_bot_that_goes_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with LLMFake() as llm:
        config = provider("one", llm.base_url)
        async with talking(tmp_path, config) as chat:
            await chat.ask("the first")
            machine.configure(llm.base_url)
            writing = asyncio.create_task(_keep_writing(chat))
            code, said = await nanobot(machine, "backup", str(tmp_path / "b.tar.gz"))
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            assert (code, "the database and" in said) == (0, True), said
            await chat.ask("after the backup")
            code, said = await nanobot(machine, "restore", str(tmp_path / "b.tar.gz"), "--yes")
            assert code != 0
            assert "stop it first" in said
        code, said = await nanobot(machine, "restore", "--check", str(tmp_path / "b.tar.gz"))
        assert (code, "a whole backup" in said) == (0, True), said
        code, said = await nanobot(machine, "restore", str(tmp_path / "b.tar.gz"), "--yes")
        assert (code, "before-restore" in said) == (0, True), said
        async with talking(tmp_path, config) as chat:
            await chat.ask("what did I say first?")
            said = str(llm.requests[-1].body["messages"])
    assert "the first" in said
    assert "after the backup" not in said


async def _keep_writing(chat: object) -> None:
    number = 0
    while True:
        number += 1
        await chat.ask(f"message {number}")  # type: ignore[attr-defined]  # a Conversation


async def test_a_person_is_exported_and_erased_and_nobody_else(tmp_path: Path) -> None:
    channel = LoopbackChannel("chat")
    channel.files["f"] = b"her bill"
    machine = Machine(tmp_path)
    async with LLMFake() as llm:
        config = provider("one", llm.base_url) + trusted("one")
        async with running(tmp_path, config, channels=(channel,)) as app:
            app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN, ("chat", "2"): BOB}, {}))
            bill = Attachment(Media.FILE, "bill.txt", "text/plain", 8, "f")
            channel.say("I like tea", chat="1", sender="1", attachments=(bill,))
            channel.say("I like coffee", chat="2", sender="2")
            await channel.until(lambda: channel.seen("1") and channel.seen("2"))
            machine.configure(llm.base_url)
            code, said = await nanobot(machine, "export", "--person", "ann", str(tmp_path / "ann.zip"))
            assert code == 0, said
            with zipfile.ZipFile(tmp_path / "ann.zip") as archive:
                names = archive.namelist()
                held = "".join(archive.read(name).decode() for name in names if name.endswith(".json"))
            assert "I like tea" in held
            assert "coffee" not in held
            assert any(name.endswith("bill.txt") for name in names)
            code, said = await nanobot(machine, "export", "--person", "ann", str(tmp_path / "no" / "ann.zip"))
            assert (code, "ann.zip could not be written: No such file" in said) == (1, True), said
            code, said = await nanobot(machine, "erase", "--person", "ann")
            assert (code, "--yes" in said) == (1, True), said
            code, said = await nanobot(machine, "erase", "--person", "ann", "--yes")
            assert (code, "Erased" in said) == (0, True), said
            code, said = await nanobot(machine, "export", "--person", "nobody", str(tmp_path / "x.zip"))
            assert (code, "nothing is kept" in said) == (1, True), said
    with closing(sqlite3.connect(tmp_path / "data" / "nanobot.db")) as database:
        text = "\n".join(database.iterdump())
    assert "I like tea" not in text
    assert "I like coffee" in text
    assert not list((tmp_path / "data" / "workspace" / "inbox").rglob("bill.txt"))


async def test_who_is_erased_while_they_are_answered_leaves_nothing_behind(tmp_path: Path) -> None:
    channel, machine = LoopbackChannel("chat"), Machine(tmp_path)
    slow = Reply("You like tea.", pace=Pace(hold="ann"))
    async with LLMFake(slow) as llm:
        async with running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app:
            app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN}, {}))
            channel.say("I like tea", chat="1", sender="1")
            await llm.until(lambda: len(llm.requests) == 1)
            channel.say("/new", chat="1", sender="1")
            asked = channel.say("What do I like?", chat="1", sender="1")
            await channel.until(lambda: channel.is_confirmed(asked))
            machine.configure(llm.base_url)
            code, said = await nanobot(machine, "erase", "--person", "ann", "--yes")
            assert (code, "Erased" in said) == (0, True), said
            llm.release("ann")
            async with asyncio.timeout(30.0):
                while app.bus.busy("chat:1"):
                    await asyncio.sleep(0.01)
            assert await app.liveness.hanging() == ""
    with closing(sqlite3.connect(tmp_path / "data" / "nanobot.db")) as database:
        text = "\n".join(database.iterdump())
    assert "tea" not in text
    assert "What do I like?" not in text


async def test_work_in_the_background_for_who_is_erased_leaves_nothing_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channel, machine = LoopbackChannel("chat"), Machine(tmp_path)
    spawn = Reply.tool("spawn", {"task": "find out about tea"})
    found = Reply.tool("report", {"done": True, "found": "tea is warm"})
    found = replace(found, pace=Pace(hold="ann"))
    async with LLMFake(spawn, Reply("Started.")) as main, LLMFake(found) as runner:
        async with running(tmp_path, two(main, runner), channels=(channel,)) as app:
            app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN}, {}))
            channel.say("tea, please", chat="1", sender="1")
            await channel.until(lambda: channel.seen("1") == ["Started."])
            await runner.until(lambda: len(runner.requests) == 1)
            machine.configure(main.base_url)
            code, said = await nanobot(machine, "erase", "--person", "ann", "--yes")
            assert (code, "Erased" in said) == (0, True), said
            runner.release("ann")
            async with asyncio.timeout(30.0):
                while any(name.startswith(("task ", "lane ")) for name in app._supervisor.names()):
                    await asyncio.sleep(0.01)
            assert channel.seen("1") == ["Started."]
    assert "Traceback" not in caplog.text
    with closing(sqlite3.connect(tmp_path / "data" / "nanobot.db")) as database:
        assert "tea" not in "\n".join(database.iterdump())


class SlowFiles(LoopbackChannel):
    """Brings no file before `go` is set."""

    def __init__(self) -> None:
        super().__init__("chat")
        self.go, self.fetching = asyncio.Event(), asyncio.Event()

    async def fetch(self, attachment: Attachment, to: Path, most: int) -> None:
        self.fetching.set()
        await self.go.wait()
        await super().fetch(attachment, to, most)


async def test_a_file_that_comes_after_its_sender_was_erased_is_not_kept(tmp_path: Path) -> None:
    channel, machine = SlowFiles(), Machine(tmp_path)
    channel.files["f"] = b"her bill"
    async with LLMFake() as llm, running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app:
        app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN}, {}))
        files = tuple(Attachment(Media.FILE, name, ref="f") for name in ("bill.txt", "bill.pdf"))
        channel.say("", chat="1", sender="1", attachments=files)
        await channel.fetching.wait()
        machine.configure(llm.base_url)
        code, said = await nanobot(machine, "erase", "--person", "ann", "--yes")
        assert (code, "Erased" in said) == (0, True), said
        channel.go.set()
        async with asyncio.timeout(30.0):
            while "files of chat:1" in app._supervisor.names():
                await asyncio.sleep(0.01)
    left = (tmp_path / "data" / "workspace" / "inbox").rglob("*")
    assert not [path for path in left if path.is_file()]
    with closing(sqlite3.connect(tmp_path / "data" / "nanobot.db")) as database:
        assert "bill" not in "\n".join(database.iterdump())


async def test_who_is_erased_is_a_stranger(tmp_path: Path) -> None:
    channel, machine = LoopbackChannel("chat"), Machine(tmp_path)
    async with LLMFake() as llm, running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app:
        channel.say("hello", chat="1", sender="1")
        await channel.until(lambda: channel.seen("1"))
        (pairing,) = await app.people.pending()
        await app.people.approve(pairing.code, "ann")
        machine.configure(llm.base_url)
        code, said = await nanobot(machine, "erase", "--person", "ann", "--yes")
        assert (code, "Erased" in said) == (0, True), said
        assert app.people.identify("chat", "1") is None


async def test_who_is_erased_is_written_to_no_more(tmp_path: Path) -> None:
    channel, machine = LoopbackChannel("chat"), Machine(tmp_path)
    channel.fail(NotSent("no network", retry_after=3600.0))
    async with LLMFake(Reply("You like tea.")) as llm:
        async with running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app:
            app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN}, {}))
            channel.say("I like tea", chat="1", sender="1")
            await channel.until(lambda: channel.order("failed"))
            machine.configure(llm.base_url)
            code, said = await nanobot(machine, "erase", "--person", "ann", "--yes")
            assert (code, "Erased" in said) == (0, True), said
            app.outbox.nudge("chat")
            await asyncio.sleep(0.05)
            assert (channel.seen(), app.outbox.depth()) == ([], 0)


async def test_ctrl_c_at_the_question_ends_it_at_once(tmp_path: Path) -> None:
    terminal, side = pty.openpty()
    machine = Machine(tmp_path)
    machine.configure("http://127.0.0.1:9/v1")
    process = await asyncio.create_subprocess_exec(
        *machine.command("erase", "--person", "ann"),
        env=machine.environment(),
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
    )
    try:
        shown = b""
        async with asyncio.timeout(20):
            while b"[y/N]" not in shown:
                shown += await asyncio.to_thread(os.read, terminal, 4096)
            process.send_signal(signal.SIGINT)
            assert await process.wait() != 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        os.close(terminal)
        os.close(side)


async def test_the_owner_is_not_erased_by_mistake(tmp_path: Path) -> None:
    async with LLMFake() as llm, talking(tmp_path, provider("one", llm.base_url)) as chat:
        machine = Machine(tmp_path)
        machine.configure(llm.base_url)
        code, said = await nanobot(machine, "erase", "--person", chat.app.people.owner.name, "--yes")
        assert (code, "is the owner" in said) == (1, True), said


async def test_what_did_not_arrive_is_listed_dropped_and_tried_again(tmp_path: Path) -> None:
    channel = LoopbackChannel("chat")
    machine = Machine(tmp_path)
    async with LLMFake(Reply("One."), Reply("Two.")) as llm:
        async with running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app:
            app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN}, {}))
            machine.configure(llm.base_url)
            channel.fail(Refused("blocked by the user"))
            channel.say("first")
            await channel.until(lambda: channel.order("failed"))
            async with Client(app.status.socket) as client:
                (row,) = await client.outbox()
            assert (row["state"], row["error"], row["text"]) == ("refused", "blocked by the user", "One.")
            code, said = await nanobot(machine, "outbox", "retry", str(row["id"]))
            assert code == 0, said
            await channel.until(lambda: channel.seen() == ["One."])

            channel.fail(*[NotSent("no network", retry_after=3600.0)])
            channel.say("second")
            await channel.until(lambda: len(channel.order("failed")) == 2)
            code, said = await nanobot(machine, "outbox", "list")
            assert (code, "no network" in said) == (0, True), said
            number = said.split(":", 1)[0]
            code, said = await nanobot(machine, "outbox", "drop", number)
            assert code == 0, said
            assert not app.outbox.waiting(int(number))
            code, said = await nanobot(machine, "outbox", "drop", number)
            assert (code, "no message" in said) == (1, True), said
            code, said = await nanobot(machine, "sessions", "--json")
            assert [one["session"] for one in json.loads(said)] == ["chat:1"]
            code, said = await nanobot(machine, "inbox")
            assert said == "Every message is answered.\n"


async def test_what_is_dropped_stays_dropped_and_what_is_tried_again_goes_out(tmp_path: Path) -> None:
    class Slow(LoopbackChannel):
        let = asyncio.Event()

        async def send(self, out: Outbound) -> Receipt:
            try:
                return await super().send(out)
            finally:
                await self.let.wait()

    channel = Slow("chat")
    channel.fail(*[NotSent("no network", retry_after=3600.0)] * 2)
    async with (
        LLMFake(Reply("One."), Reply("Two.")) as llm,
        running(tmp_path, provider("one", llm.base_url), channels=(channel,)) as app,
        Client(app.status.socket) as client,
    ):
        app.people.adopt(Roster(app.people.owner, {("chat", "1"): ANN}, {}))
        channel.say("first")
        await channel.until(lambda: channel.order("failed"))
        (row,) = await client.outbox()
        assert (await client.outgoing(row["id"], "drop"))["state"] == "refused"
        channel.let.set()
        channel.say("second")
        await channel.until(lambda: len(channel.order("failed")) == 2)
        states = {one["id"]: one["state"] for one in await client.outbox()}
        assert states[row["id"]] == "refused"
        # Where the chat's other messages still wait.
        await client.outgoing(row["id"], "retry")
        await channel.until(lambda: channel.seen() == ["Two.", "One."])


async def test_an_upgrade_is_tried_on_a_copy(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with LLMFake() as llm:
        async with talking(tmp_path, provider("one", llm.base_url)) as chat:
            await chat.ask("hello")
        machine.configure(llm.base_url)
        code, said = await nanobot(machine, "upgrade-check")
    assert (code, "up to date" in said) == (0, True), said
    (tmp_path / "data" / "nanobot.db").write_bytes(b"no database at all" * 100)
    code, said = await nanobot(machine, "upgrade-check")
    assert (code, "nanobot.db can't be copied: file is not a database" in said) == (1, True), said

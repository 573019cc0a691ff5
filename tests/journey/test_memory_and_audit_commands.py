"""`nanobot memory` and `nanobot audit`, with a daemon and without."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking, trusted
from tests.journey.test_command_line import Machine


async def nanobot(machine: Machine, *arguments: str) -> tuple[int, str]:
    process = await machine.start(*arguments)
    out, error = await process.communicate()
    return process.returncode or 0, (out + error).decode()


async def listed(folder: Path, times: int) -> None:
    """A bot that used a tool so often."""
    calls = [Reply.tool("files_list", {"path": f"./{number}"}) for number in range(times)]
    async with LLMFake(*calls, Reply("Done.")) as llm:
        config = provider("one", llm.base_url) + trusted("one") + "[agent]\nmax_steps = 50\n"
        async with talking(folder, config) as chat:
            await chat.ask("list them")


def tamper(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "data" / "nanobot.db")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


async def verified(machine: Machine, tampering: Sequence[str]) -> tuple[int, str]:
    """What is said after tampering, which is undone again."""
    file = machine.data / "nanobot.db"
    with closing(sqlite3.connect(file)) as database:
        copy = sqlite3.connect(machine.folder / "copy.db")
        database.backup(copy)
    tamper(machine.folder, *tampering)
    found = await nanobot(machine, "audit", "verify")
    with closing(sqlite3.connect(file)) as database:
        copy.backup(database)
    copy.close()
    return found


async def test_whatever_was_done_to_the_log_is_named_and_tells_scripts(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.configure("http://127.0.0.1:9/v1")
    code, said = await nanobot(machine, "audit", "verify")
    assert (code, "there is no database" in said) == (1, True)
    await listed(tmp_path, 15)
    machine.configure("http://127.0.0.1:9/v1")
    code, said = await nanobot(machine, "audit", "verify")
    assert (code, said) == (0, "The log is whole, none changed, none missing; entries: 15.\n")
    for tampering, place in (
        (
            ["UPDATE audit SET tool = 'files_lisT' WHERE id = 4"],
            "entry 4: it, or the order before it, was changed",
        ),
        (["DELETE FROM audit WHERE id > 5"], "entry 6: entries 6 to 15 are missing at the end"),
        (
            [
                "UPDATE audit SET id = 99 WHERE id = 8",
                "UPDATE audit SET id = 8 WHERE id = 9",
                "UPDATE audit SET id = 9 WHERE id = 99",
            ],
            "entry 8: it, or the order before it, was changed",
        ),
    ):
        code, said = await verified(machine, tampering)
        assert code == 1
        assert said.splitlines()[1] == place


async def test_beside_a_daemon_that_runs(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    fact = Reply.tool("remember", {"fact": "Ann likes tea"})
    async with LLMFake(fact, Reply("Noted.")) as llm:
        machine.configure(llm.base_url)
        async with machine.daemon():
            await nanobot(machine, "chat", "-m", "Ann likes tea, remember that")
            assert await nanobot(machine, "audit", "verify") == (
                0,
                "The log is whole, none changed, none missing; entries: 1.\n",
            )
            (entry,) = json.loads(
                (await nanobot(machine, "audit", "show", "--session", "terminal:main", "--json"))[1]
            )
            assert (entry["tool"], entry["arguments"]) == ("remember", {"fact": "Ann likes tea"})
            assert json.loads((await nanobot(machine, "audit", "show", "--session", "x", "--json"))[1]) == []
            assert "- Ann likes tea" in (await nanobot(machine, "memory", "show"))[1]
            assert (await nanobot(machine, "memory", "forget", "ann", "tea"))[0] == 0
            assert (await nanobot(machine, "memory", "forget", "ann", "tea"))[0] == 1
            history = json.loads((await nanobot(machine, "memory", "history", "--json"))[1])
            assert [one["facts"] for one in history][:2] == [1, 0]
            assert (
                "- Ann likes tea"
                in (await nanobot(machine, "memory", "restore", str(history[0]["number"])))[1]
            )
            code, said = await nanobot(machine, "memory", "restore", "999")
            assert (code, "there is no version 999" in said) == (1, True)
            code, said = await nanobot(machine, "memory", "show", "--person", "nobody")
            assert (code, "there are: owner" in said) == (1, True)
            tamper(tmp_path, "UPDATE audit SET ok = 0")
            code, said = await nanobot(machine, "audit", "verify", "--json")
            assert (code, json.loads(said)["faults"]) == (
                1,
                ["entry 1: it, or the order before it, was changed"],
            )

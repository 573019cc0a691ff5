"""Every file in `bot/tools`, through the same suite: what it exports, how it is described, and what it makes of wrong
arguments, of a database that is gone, and of being cut off.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import bot.tools
from bot import plugins
from bot.config import Config
from bot.config.schema import ToolsSettings, WebSettings
from bot.desk import Desk, Enclosed, Output, Task, ToolContext, ToolError
from bot.memory.memory import Memory
from bot.safety.rules import Act, Trust
from bot.safety.sandbox import Sandbox
from bot.schedule.bell import Bell
from bot.skills.shelf import Skills
from bot.storage import sessions
from bot.storage.database import Database
from bot.toolbox import Kit, Toolbox, ToolFunction, ToolResult, ToolSpec
from channels.types import Address
from providers.types import ToolCall
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking, trusted

TOOLS = "bot.tools"
NAMES = plugins.names(TOOLS)
NOW = 1_795_420_800.0
QUICK = 5.0


def spec(name: str) -> ToolSpec:
    return plugins.load(TOOLS, name, ToolSpec)


FUNCTIONS = [function for name in NAMES for function in spec(name).functions]
each_file = pytest.mark.parametrize("name", NAMES)
each_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)


class Idle:
    """Workers and a post that nobody uses: as in a house where one lives alone."""

    async def delegate(self, context: ToolContext, task: Task) -> Output:
        raise ToolError("There is no other model.")

    async def spawn(self, context: ToolContext, task: Task) -> str:
        raise ToolError("There is no other model.")

    async def running(self, session: str) -> Output:
        return Output("")

    async def cancel(self, session: str, name: str) -> bool:
        return False

    def people(self) -> Sequence[str]:
        return ["owner"]

    async def channels(self, person: str) -> Sequence[str]:
        return ["terminal"]

    async def send(self, person: str, text: str, channel: str = "", file: Enclosed | None = None) -> str:
        raise ToolError("Nobody can be reached.")

    async def into(self, session: str, text: str, file: Enclosed) -> None:
        raise ToolError("Nobody can be reached.")


@asynccontextmanager
async def context(folder: Path) -> AsyncIterator[ToolContext]:
    """A turn in an empty house, with all that a tool may be lent."""
    database = await Database.open(folder / "nanobot.db")
    workspace, idle = folder / "workspace", Idle()
    workspace.mkdir()
    here = Address("terminal", "main")
    await database.write(partial(sessions.touch, address=here, person="owner", private=True, now=NOW))
    nowhere = Config(tools=ToolsSettings(web=WebSettings(searxng="http://127.0.0.1:9")))
    memory, skills = Memory(database, workspace, lambda: NOW, str), Skills(database, workspace, lambda: NOW)
    desk = Desk(database, memory, idle, idle, Bell(), Sandbox(), str, skills)
    try:
        yield ToolContext(
            workspace, "owner", lambda: NOW, nowhere, session=str(here), turn=1, call="c1", lent=desk
        )
    finally:
        await database.aclose()


def made_up(arguments: type[BaseModel]) -> dict[str, Any]:
    """Values for what a call can't leave out: nothing that there is anywhere."""
    values = {str: "nowhere", int: 4_000_000, float: 1.0, bool: False}
    return {
        name: values[about.annotation]
        for name, about in arguments.model_fields.items()
        if about.is_required() and about.annotation in values
    }


def test_the_folder_is_what_there_is() -> None:
    assert {"clock", "files", "memory", "message", "remind", "shell", "web"} <= set(NAMES)


def test_no_name_stands_for_two_functions() -> None:
    names = [function.name for function in FUNCTIONS]
    assert len(names) == len(set(names))


@each_file
def test_the_file_exports_its_spec(name: str) -> None:
    tool = spec(name)
    assert tool.name == name, "it is what `[tools] off` says"
    assert tool.functions
    module = inspect.getmodule(tool.functions[0].run)
    assert module is not None
    assert (module.__doc__ or "").strip()


@each_function
def test_it_is_described_in_a_few_words(function: ToolFunction) -> None:
    assert function.name.replace("_", "").isalnum()
    assert function.name.islower()
    assert "\n" not in function.description
    assert function.description.endswith((".", ")"))
    assert 10 < len(function.description) <= 250


@each_function
def test_every_argument_is_described_unless_its_name_says_it_all(function: ToolFunction) -> None:
    fields = function.arguments.model_fields
    for name, about in fields.items():
        described = about.description or ""
        assert described or len(fields) == 1, f"{name} of {function.name}"
        assert len(described) <= 120
        assert "\n" not in described
        assert about.is_required() or about.get_default(call_default_factory=True) is not PydanticUndefined


@each_function
def test_it_says_what_a_call_amounts_to_and_who_holds_it(function: ToolFunction) -> None:
    assert isinstance(function.act, Act) or inspect.iscoroutinefunction(function.act)
    assert isinstance(function.kit, Kit)
    assert inspect.iscoroutinefunction(function.run)
    assert 0 < function.timeout <= 86_400
    assert not function.pure or function.act is Act.LOOK, (
        "what changes something is never answered from the record"
    )


async def called(function: ToolFunction, given: Mapping[str, Any], where: ToolContext) -> ToolResult:
    async with asyncio.timeout(QUICK):
        return await Toolbox([ToolSpec("one", (function,))]).run(ToolCall("c1", function.name, given), where)


@each_function
async def test_wrong_arguments_are_told_in_a_line(function: ToolFunction, tmp_path: Path) -> None:
    async with context(tmp_path) as where:
        for name in function.arguments.model_fields:
            result = await called(function, {name: {"a": ["table"]}}, where)
            assert not result.ok
            assert result.text.startswith(f"Wrong arguments for {function.name}: ")
            assert name in result.text
            assert "\n" not in result.text
        needed = [name for name, about in function.arguments.model_fields.items() if about.is_required()]
        if needed:
            result = await called(function, {}, where)
            assert not result.ok
            assert all(name in result.text for name in needed)


@each_function
async def test_it_answers_in_an_empty_house(
    function: ToolFunction, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it says of things that there are nowhere, it is no fault, and labelled."""
    async with context(tmp_path) as where:
        result = await called(function, made_up(function.arguments), where)
    assert result.text
    assert "fault in the tool" not in result.text
    assert result.trust in Trust
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@each_function
async def test_it_can_be_cut_off_at_once(function: ToolFunction, tmp_path: Path) -> None:
    async with context(tmp_path) as where:
        run = asyncio.ensure_future(called(function, made_up(function.arguments), where))
        await asyncio.sleep(0)
        run.cancel()
        async with asyncio.timeout(QUICK):
            await asyncio.wait([run])


WATER = '''\
"""Waters plants."""

from pydantic import BaseModel, Field

from bot.toolbox import Act, ToolContext, ToolFunction, ToolSpec


class WaterArguments(BaseModel):
    plant: str = Field(description="which one")


async def water(context: ToolContext, arguments: WaterArguments) -> str:
    return f"{arguments.plant} was watered for {context.person}"


SPEC = ToolSpec("water", (ToolFunction("water", "Waters a plant.", WaterArguments, water, Act.NOTE),))
'''


@pytest.mark.parametrize("off", [False, True])
async def test_a_file_in_the_folder_is_all_that_a_new_tool_takes(
    off: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is offered to a model, which uses it; `[tools] off` keeps it out."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "water.py").write_text(WATER)
    monkeypatch.setattr(bot.tools, "__path__", [*bot.tools.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "bot.tools.water", raising=False)
    async with LLMFake(Reply.tool("water", {"plant": "the fern"}), Reply("Done.")) as llm:
        config = (
            provider("one", llm.base_url) + trusted("one") + ('[tools]\noff = ["water"]\n' if off else "")
        )
        async with talking(tmp_path, config) as chat:
            assert (await chat.ask("please")).answer == "Done."
        first, second = (request.body for request in llm.requests)
    offered = [tool["function"]["name"] for tool in first["tools"]]
    assert ("water" in offered) is not off
    told = second["messages"][-1]["content"]
    assert told.startswith("There is no tool 'water'") if off else told == "the fern was watered for owner"

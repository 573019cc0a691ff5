"""Every file in `bot/tools`, through the same suite: what it exports, what a model is told of it, and what becomes of
calls that make no sense.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import bot.tools
from bot import plugins
from bot.desk import ToolContext
from bot.safety.rules import Act
from bot.toolbox import Kit, Toolbox, ToolFunction, ToolResult, ToolSpec
from providers.tokens import tool_size
from providers.types import ToolCall
from tests.fakes.llm import LLMFake, Reply
from tests.journey.conversation import provider, talking, trusted

TOOLS = "bot.tools"
SPECS = [plugins.load(TOOLS, name, ToolSpec) for name in plugins.names(TOOLS)]
FUNCTIONS = [pytest.param(function, id=function.name) for spec in SPECS for function in spec.functions]
NONSENSE: list[dict[str, Any]] = [
    {"surely_no_argument": 1, "text": ["a"], "path": {}, "task": 3, "url": None},
    {"path": 7},
]


def test_names_are_given_once_and_lead_to_their_file() -> None:
    names = [function.name for spec in SPECS for function in spec.functions]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_model_learns_in_one_line_what_it_does(function: ToolFunction) -> None:
    assert function.description.endswith(".")
    assert "\n" not in function.description
    assert len(function.description) <= 130
    assert function.name.replace("_", "").isalnum()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_it_is_small_enough_to_be_sent_with_every_request(function: ToolFunction) -> None:
    (offered,) = [tool for tool in box(function).offered(context().situation) if tool.name == function.name]
    assert offered.parameters["type"] == "object"
    assert 0 < tool_size(offered) <= 900


@pytest.mark.parametrize("function", FUNCTIONS)
def test_it_says_what_a_call_amounts_to_and_who_holds_it(function: ToolFunction) -> None:
    assert isinstance(function.act, Act) or callable(function.act)
    assert isinstance(function.kit, Kit)
    assert function.timeout > 0
    assert not function.pure or function.act is Act.LOOK


@pytest.mark.parametrize("arguments", NONSENSE)
@pytest.mark.parametrize("function", FUNCTIONS)
async def test_arguments_that_make_no_sense_are_told(
    function: ToolFunction, arguments: dict[str, Any]
) -> None:
    if not function.arguments.model_json_schema().get("required"):
        return  # nothing is needed: whatever else was said is left out
    prepared = await box(function).prepare(ToolCall("1", function.name, arguments), context())
    assert isinstance(prepared, ToolResult)
    assert not prepared.ok
    assert prepared.text.startswith(f"Wrong arguments for {function.name}: ")


async def test_a_file_in_the_folder_is_a_tool_and_nothing_else_is_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "dice.py").write_text(
        "from pydantic import BaseModel\n"
        "from bot.toolbox import Act, ToolFunction, ToolSpec\n\n\n"
        "class Sides(BaseModel):\n    sides: int\n\n\n"
        "async def roll(_context, arguments):\n    return f'{arguments.sides} of {arguments.sides}'\n\n\n"
        "SPEC = ToolSpec('dice', (ToolFunction('dice_roll', 'Rolls a die.', Sides, roll, Act.LOOK),))\n"
    )
    monkeypatch.setattr(bot.tools, "__path__", [*bot.tools.__path__, str(folder)])
    call = Reply.tool("dice_roll", {"sides": 6})
    async with LLMFake(call, Reply("A six.")) as llm:
        async with talking(tmp_path, provider("one", llm.base_url) + trusted("one")) as chat:
            assert (await chat.ask("roll a die")).answer == "A six."
            assert llm.requests[-1].body["messages"][-1]["content"] == "6 of 6"
        llm.push(Reply("Hello."))
        off = '[tools]\noff = ["dice"]\n'
        async with talking(tmp_path, provider("one", llm.base_url) + off) as chat:
            await chat.ask("hi")
            assert "dice_roll" not in str(llm.requests[-1].body["tools"])


def box(function: ToolFunction) -> Toolbox:
    return Toolbox([ToolSpec("one", (function,))])


def context() -> ToolContext:
    return ToolContext(Path("/nowhere"), "owner", lambda: 0.0)

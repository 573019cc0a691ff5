"""Whatever a tool does, the model gets a result and the turn goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.toolbox import Act, Toolbox, ToolContext, ToolError, ToolFunction, ToolSpec, shorten
from providers.types import ToolCall


class NoArguments(BaseModel):
    pass


def box(run: Callable[[ToolContext, NoArguments], Awaitable[str]], timeout: float = 1.0) -> Toolbox:
    function = ToolFunction("probe", "A test.", NoArguments, run, Act.LOOK, timeout=timeout)
    return Toolbox([ToolSpec("probe", (function,))])


async def outcome(toolbox: Toolbox, name: str = "probe") -> tuple[bool, str]:
    result = await toolbox.run(ToolCall("1", name, {}), ToolContext(Path(), "owner", lambda: 0.0))
    return result.ok, result.text


async def test_a_slow_tool_is_stopped() -> None:
    async def slow(_context: ToolContext, _arguments: NoArguments) -> str:
        await asyncio.sleep(60)
        return "never"

    assert await outcome(box(slow, timeout=0.01)) == (False, "probe was stopped after 0.01 seconds.")


async def test_a_tools_own_error_reaches_the_model() -> None:
    async def refusing(_context: ToolContext, _arguments: NoArguments) -> str:
        raise ToolError("Not today; try tomorrow.")

    assert await outcome(box(refusing)) == (False, "Not today; try tomorrow.")


async def test_a_fault_is_logged_and_told_without_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_context: ToolContext, _arguments: NoArguments) -> str:
        raise ZeroDivisionError("inner secret")

    ok, text = await outcome(box(broken))
    assert not ok
    assert text == "probe failed because of a fault in the tool itself."
    assert "ZeroDivisionError" in caplog.text


async def test_an_unknown_tool_is_answered_with_those_that_exist() -> None:
    async def fine(_context: ToolContext, _arguments: NoArguments) -> str:
        return "x" * 100

    assert await outcome(box(fine), "prob") == (False, "There is no tool 'prob'. Tools: probe.")


def test_shorten_keeps_both_ends() -> None:
    text = "a" * 50 + "b" * 50
    short = shorten(text, 20)
    assert short.startswith("a" * 15 + "\n")
    assert short.endswith("\n" + "b" * 5)
    assert "80 characters left out" in short
    assert shorten("short", 20) == "short"

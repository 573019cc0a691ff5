"""What a tool is, and the box that runs them for a model: arguments checked, time and size limited, failures told.

A file `bot/tools/<name>.py` exports `SPEC: ToolSpec` with one or more functions; see `bot/tools/clock.py` for the
smallest one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.text import valid
from providers.types import ToolCall, ToolDef

log = logging.getLogger(__name__)


class ToolError(Exception):
    """Tells the model in one line what went wrong and what would work."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of the turn it runs in."""

    workspace: Path
    person: str
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class ToolFunction:
    """One function as the model sees it.

    `run` gets the context and validated arguments and returns text; it may raise ToolError or OSError. `pure` says
    that the same call changes nothing and may be answered from the record. `timeout` is in seconds.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    run: Callable[[ToolContext, Any], Awaitable[str]]
    pure: bool = False
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a tool module exports as `SPEC`; `name` is the module's, and what `[tools] off` says."""

    name: str
    functions: tuple[ToolFunction, ...]


@dataclass(frozen=True, slots=True)
class ToolResult:
    text: str
    ok: bool = True


class Toolbox:
    """The functions of the given tools. `max_chars` cuts long results in the middle, saying so."""

    def __init__(self, tools: Iterable[ToolSpec], *, max_chars: int) -> None:
        self._functions = {function.name: function for tool in tools for function in tool.functions}
        self._max_chars = max_chars
        self.definitions = tuple(_definition(function) for function in self._functions.values())

    def is_pure(self, name: str) -> bool:
        function = self._functions.get(name)
        return function is not None and function.pure

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Run one call. Whatever goes wrong becomes a result that tells the model, so that it can do better."""
        result = await self._run(call, context)
        return replace(result, text=shorten(valid(result.text), self._max_chars))

    async def _run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        function = self._functions.get(call.name)
        if function is None:
            return ToolResult(
                f"There is no tool {call.name!r}. Tools: {', '.join(self._functions)}.", ok=False
            )
        try:
            arguments = function.arguments.model_validate(dict(call.arguments))
        except ValidationError as error:
            return ToolResult(f"Wrong arguments for {call.name}: {_explain(error)}", ok=False)
        try:
            async with asyncio.timeout(function.timeout):
                text = await function.run(context, arguments)
        except TimeoutError:
            return ToolResult(f"{call.name} was stopped after {function.timeout:g} seconds.", ok=False)
        except ToolError as error:
            return ToolResult(str(error), ok=False)
        except OSError as error:
            return ToolResult(f"{call.name} failed: {error.strerror or error}", ok=False)
        except Exception:
            # Catches everything: a tool's bug must not cost the user the answer.
            log.exception("tool %s failed", call.name)
            return ToolResult(f"{call.name} failed because of a fault in the tool itself.", ok=False)
        return ToolResult(text)


def shorten(text: str, most: int) -> str:
    """Keep head and tail of a text longer than `most` characters, and say how much is missing."""
    if len(text) <= most:
        return text
    head = most * 3 // 4
    tail = most - head
    return f"{text[:head]}\n[... {len(text) - head - tail} characters left out ...]\n{text[-tail:] if tail else ''}"


def _definition(function: ToolFunction) -> ToolDef:
    return ToolDef(function.name, function.description, _schema(function.arguments))


def _schema(arguments: type[BaseModel]) -> Mapping[str, Any]:
    schema = arguments.model_json_schema()
    # Titles repeat the names: tokens that tell a model nothing.
    properties = {
        name: {key: value for key, value in about.items() if key != "title"}
        for name, about in schema.get("properties", {}).items()
    }
    return {"type": "object", "properties": properties, "required": schema.get("required", [])}


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())

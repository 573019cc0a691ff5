"""What a tool is, and the box that runs them for a model: arguments checked, time and size limited, failures told.

A file `bot/tools/<name>.py` exports `SPEC: ToolSpec` with one or more functions; see `bot/tools/clock.py` for the
smallest one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.desk import Output, ToolContext, ToolError
from bot.safety.rules import READING, Act, Situation, Trust
from bot.text import valid
from providers.tokens import tool_size
from providers.types import ToolCall, ToolDef

log = logging.getLogger(__name__)

__all__ = ["Act", "Kit", "Output", "ToolContext", "ToolError", "ToolFunction", "ToolSpec", "Toolbox"]

_ABROAD = frozenset({Act.SEARCH, Act.FETCH, Act.FETCH_OTHER})


class Kit(StrEnum):
    """Who holds a tool where Main hands work to a runner; where it doesn't, it holds all of them."""

    MAIN = "main"
    WORK = "work"
    BOTH = "both"
    HANDING_ON = "handing_on"
    """Hands work to a runner: Main's, and a runner's own as long as it isn't too deep."""


@dataclass(frozen=True, slots=True)
class ToolFunction:
    """One function as the model sees it.

    `run` gets the context and validated arguments and returns text, or an `Output` where that text isn't the owner's
    own; it may raise ToolError or OSError. `act` is what a call amounts to, for the rules of `bot.safety`; where that
    depends on the arguments, a function of (context, arguments). `pure` says that the same call changes nothing and
    may be answered from the record. `timeout` is in seconds.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    run: Callable[[ToolContext, Any], Awaitable[str | Output]]
    act: Act | Callable[[ToolContext, Any], Awaitable[Act]]
    kit: Kit = Kit.BOTH
    pure: bool = False
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a tool module exports as `SPEC`; `name` is the module's, and what `[tools] off` says."""

    name: str
    functions: tuple[ToolFunction, ...]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model reads of a call. `trust` is whose words it holds."""

    text: str
    ok: bool = True
    trust: Trust = Trust.OWN


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call whose arguments are in order, and what it amounts to."""

    function: ToolFunction
    arguments: BaseModel
    act: Act


class Toolbox:
    """The functions of the given tools."""

    def __init__(self, tools: Iterable[ToolSpec]) -> None:
        tools = tuple(tools)
        self._functions = {function.name: function for tool in tools for function in tool.functions}
        self._groups = {tool.name: tuple(function.name for function in tool.functions) for tool in tools}
        self._definitions = {name: _definition(function) for name, function in self._functions.items()}

    @classmethod
    def _holding(cls, functions: Mapping[str, ToolFunction], definitions: Mapping[str, ToolDef]) -> Toolbox:
        box = cls(())
        box._functions = dict(functions)
        box._definitions = dict(definitions)
        return box

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def names(self) -> frozenset[str]:
        """What a function or a whole tool may be called by."""
        return frozenset((*self._functions, *self._groups))

    def chosen(self, names: Iterable[str]) -> Toolbox:
        """A box with these functions and those of these tools alone; a function goes before a tool of its name."""
        return self.only(
            one for name in names for one in ((name,) if name in self else self._groups.get(name, ()))
        )

    def only(self, names: Iterable[str]) -> Toolbox:
        """A box with these functions alone, as far as there are such."""
        kept = [name for name in names if name in self._functions]
        return self._holding({n: self._functions[n] for n in kept}, {n: self._definitions[n] for n in kept})

    def without(self, *names: str) -> Toolbox:
        """A box with all functions but these."""
        return self.only([name for name in self._functions if name not in names])

    def kit(self, *kits: Kit) -> Toolbox:
        """A box with the functions of these kits."""
        return self.only([name for name, function in self._functions.items() if function.kit in kits])

    def showing(self, definition: ToolDef) -> Toolbox:
        """A box that also shows a model what its turn itself takes care of."""
        return self._holding(self._functions, {**self._definitions, definition.name: definition})

    def offered(self, situation: Situation) -> tuple[ToolDef, ...]:
        """What a model is shown: all of it, but only reading tools to a weak one that has read untrusted text."""
        if situation.tier != "weak" or situation.trust is not Trust.UNTRUSTED:
            return tuple(self._definitions.values())
        return tuple(
            definition
            for name, definition in self._definitions.items()
            if (function := self._functions.get(name)) is None
            or not isinstance(function.act, Act)
            or function.act in READING
        )

    def is_pure(self, name: str) -> bool:
        function = self._functions.get(name)
        return function is not None and function.pure

    async def prepare(self, call: ToolCall, context: ToolContext) -> Prepared | ToolResult:
        """Check a call without running it; what is wrong with it becomes a result that tells the model."""
        function = self._functions.get(call.name)
        if function is None:
            names = ", ".join(self._functions) or "none"
            return ToolResult(f"There is no tool {call.name!r}. Tools: {names}.", ok=False)
        try:
            arguments = function.arguments.model_validate(dict(call.arguments))
        except ValidationError as error:
            return ToolResult(f"Wrong arguments for {call.name}: {_explain(error)}", ok=False)
        if isinstance(function.act, Act):
            return Prepared(function, arguments, function.act)
        try:
            return Prepared(function, arguments, await function.act(context, arguments))
        except ToolError as error:
            return ToolResult(str(error), ok=False)
        except OSError as error:
            return ToolResult(f"{call.name} failed: {error.strerror or error}", ok=False)

    async def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Check a call and run it, whatever it amounts to: who may do what is judged before."""
        prepared = await self.prepare(call, context)
        if isinstance(prepared, ToolResult):
            return prepared
        return await self.execute(prepared, replace(context, act=prepared.act))

    async def execute(self, prepared: Prepared, context: ToolContext) -> ToolResult:
        """Run one call. Whatever goes wrong becomes a result that tells the model, so that it can do better."""
        function = prepared.function
        try:
            async with asyncio.timeout(function.timeout):
                said = await function.run(context, prepared.arguments)
        except TimeoutError:
            return ToolResult(f"{function.name} was stopped after {function.timeout:g} seconds.", ok=False)
        except ToolError as error:
            # What a server answers, and where it leads, stands in the error.
            trust = Trust.UNTRUSTED if prepared.act in _ABROAD else Trust.OWN
            return ToolResult(valid(str(error)), ok=False, trust=trust)
        except OSError as error:
            return ToolResult(f"{function.name} failed: {error.strerror or error}", ok=False)
        except PassesThrough:
            raise
        except Exception:
            # Catches everything: a tool's bug must not cost the user the answer.
            log.exception("tool %s failed", function.name)
            return ToolResult(f"{function.name} failed because of a fault in the tool itself.", ok=False)
        output = Output(said) if isinstance(said, str) else said
        return ToolResult(valid(output.text), trust=output.trust)


class PassesThrough(Exception):
    """What a tool raises to be heard by the turn rather than told to the model."""


def shorten(text: str, most: int) -> str:
    """Keep head and tail of a text longer than `most` characters, and say how much is missing."""
    if len(text) <= most:
        return text
    head = most * 3 // 4
    tail = most - head
    return f"{text[:head]}\n[... {len(text) - head - tail} characters left out ...]\n{text[-tail:] if tail else ''}"


def _definition(function: ToolFunction) -> ToolDef:
    tool = ToolDef(function.name, function.description, _schema(function.arguments))
    return replace(tool, size=tool_size(tool))


def _schema(arguments: type[BaseModel]) -> Mapping[str, Any]:
    schema = arguments.model_json_schema()
    properties = {
        name: {key: value for key, value in about.items() if _tells(key, value)}
        for name, about in schema.get("properties", {}).items()
    }
    required = {"required": schema["required"]} if schema.get("required") else {}
    return {"type": "object", "properties": properties, **required}


def _tells(key: str, value: object) -> bool:
    """Whether a part of a schema tells a model something: a title repeats the name, and that an argument may be left
    out stands in `required`. Each costs tokens in every request; a call that goes against one is told why.
    """
    return key not in ("title", "minLength", "maxLength", "minimum", "exclusiveMinimum") and not (
        key == "default" and not value
    )


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())

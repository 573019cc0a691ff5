"""A request in the wire format of Anthropic's Messages API (docs.anthropic.com, "Messages"). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from providers.history import repaired
from providers.types import ChatRequest, Message, ToolDef
from providers.wire import Quirks

MAX_TOKENS = 4096
"""The longest answer in tokens where the request sets none: the protocol wants a number."""

Block = dict[str, Any]

_GO_ON = "(go on)"
_CACHED = {"type": "ephemeral"}


def encode(model: str, request: ChatRequest, quirks: Quirks = frozenset()) -> dict[str, Any]:
    """The request's body. The answer is always streamed.

    At most four places are marked for the server's cache of prompts: tools, system, and the two newest turns of the
    user, so that each step of a tool loop finds what the one before has left.
    """
    messages = repaired(request.messages)
    body: dict[str, Any] = {"model": model, "max_tokens": request.max_tokens or MAX_TOKENS, "stream": True}
    if system := [_text(m.content) for m in messages if m.role == "system" and m.content.strip()]:
        body["system"] = _marked(system)
    body["messages"] = turns = _turns(messages)
    for turn in [turn for turn in turns if turn["role"] == "user"][-2:]:
        turn["content"] = _marked(turn["content"])
    if request.tools:
        body["tools"] = _marked([_tool(tool) for tool in request.tools])
    elif used := dict.fromkeys(call.name for message in messages for call in message.tool_calls):
        # A history with calls is refused without tools; none of them may be called now.
        body["tools"] = [_tool(ToolDef(name, "", {})) for name in used]
        body["tool_choice"] = {"type": "none"}
    if request.temperature is not None:
        body["temperature"] = min(request.temperature, 1.0)  # the protocol's highest
    return {name: value for name, value in body.items() if name not in quirks or name == "max_tokens"}


def _turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Turns of user and assistant by turns, from a user's to a user's, as the API wants them."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        blocks = _blocks(message)
        if not blocks:
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": [_text(_GO_ON)]})
    if turns[-1]["role"] != "user":
        turns.append({"role": "user", "content": [_text(_GO_ON)]})
    return turns


def _blocks(message: Message) -> list[Block]:
    """A message's blocks; blank texts are none, since the API refuses them."""
    if message.role == "system":
        return []
    if message.role == "tool":
        result: Block = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        return [{**result, "content": message.content} if message.content.strip() else result]
    text = [_text(message.content)] if message.content.strip() else []
    calls = message.tool_calls
    return text + [
        {"type": "tool_use", "id": c.id, "name": c.name, "input": dict(c.arguments)} for c in calls
    ]


def _tool(tool: ToolDef) -> Block:
    schema = {"type": "object", **tool.parameters}
    about = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **about, "input_schema": schema}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _marked(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with the end of them marked: up to there the prompt may be kept for the next call."""
    return [*blocks[:-1], {**blocks[-1], "cache_control": _CACHED}]

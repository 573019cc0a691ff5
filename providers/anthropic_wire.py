"""A request in the wire format of Anthropic's Messages API (its pages "Messages" and "Extended thinking"). Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from providers.history import GO_ON, repaired
from providers.types import ChatRequest, Image, Message, ToolDef
from providers.wire import NO_THOUGHTS, Quirks

MAX_TOKENS = 4096
"""The longest answer in tokens where the request sets none: the protocol wants a number."""
ADAPTIVE = "thinking.type.enabled"
"""The quirk of models that decide for themselves how much they think, and refuse a number of tokens for it."""
THOUGHTS = ("thinking", "redacted_thinking")
"""The types of blocks that hold thoughts."""

Block = dict[str, Any]

_CACHED = {"type": "ephemeral"}


def encode(
    model: str, request: ChatRequest, quirks: Quirks = frozenset(), *, thinking: int = 0
) -> dict[str, Any]:
    """The request's body. The answer is always streamed, after up to `thinking` tokens of thought.

    At most four places are marked for the server's cache of prompts: tools, system, and the two newest turns of the
    user, so that each step of a tool loop finds what the one before has left.
    """
    messages = repaired(request.messages)
    body: dict[str, Any] = {"model": model, "max_tokens": request.max_tokens or MAX_TOKENS, "stream": True}
    if system := [_text(m.content) for m in messages if m.role == "system" and m.content.strip()]:
        body["system"] = _marked(system)
    body["messages"] = turns = _turns(messages, quirks)
    for turn in [turn for turn in turns if turn["role"] == "user"][-2:]:
        turn["content"] = _marked(turn["content"])
    if request.tools:
        body["tools"] = _marked([_tool(tool) for tool in request.tools])
    elif used := dict.fromkeys(call.name for message in messages for call in message.tool_calls):
        # A history with calls is refused without tools; none of them may be called now.
        body["tools"] = [_tool(ToolDef(name, "", {})) for name in used]
        body["tool_choice"] = {"type": "none"}
    if thinking and _may_think(turns, quirks):
        # Thoughts count towards the answer's length, and want the usual temperature.
        budget = {"type": "enabled", "budget_tokens": thinking}
        body["thinking"] = {"type": "adaptive"} if ADAPTIVE in quirks else budget
        body["max_tokens"] += thinking
    elif request.temperature is not None:
        body["temperature"] = min(request.temperature, 1.0)  # the protocol's highest
    return {name: value for name, value in body.items() if name not in quirks or name == "max_tokens"}


def _may_think(turns: Sequence[Block], quirks: Quirks) -> bool:
    """Whether thoughts may be asked for: not where the calls that were just made came without any, since then another
    model made them.
    """
    if NO_THOUGHTS in quirks or "thinking" in quirks:
        return False
    last: Sequence[Block] = next((t["content"] for t in reversed(turns) if t["role"] == "assistant"), ())
    calling = any(block["type"] == "tool_use" for block in last)
    return ADAPTIVE in quirks or not calling or "thinking" in last[0]["type"]


def _turns(messages: Iterable[Message], quirks: Quirks) -> list[dict[str, Any]]:
    """Turns of user and assistant by turns, from a user's to a user's, as the API wants them."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        blocks = list(_blocks(message, quirks))
        if not blocks:
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": [_text(GO_ON)]})
    if turns[-1]["role"] != "user":
        turns.append({"role": "user", "content": [_text(GO_ON)]})
    return turns


def _blocks(message: Message, quirks: Quirks) -> Iterator[Block]:
    """A message's blocks; blank texts are none, since the API refuses them."""
    if message.role == "system":
        return
    if message.role == "tool":
        result: Block = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        yield {**result, "content": message.content} if message.content.strip() else result
        return
    yield from (_image(image) for image in message.images)
    thoughts, rest = ([], message.content) if NO_THOUGHTS in quirks else _thoughts(message)
    yield from thoughts
    if rest.strip():
        yield _text(rest)
    for call in message.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}


def _thoughts(message: Message) -> tuple[list[Block], str]:
    """What the model thought, as it came, with the text that stood between; and the text after it."""
    given = message.thoughts.blocks if message.thoughts else ()
    blocks = [dict(block) for block in given if block.get("type") in (*THOUGHTS, "text")]
    between = "".join(block["text"] for block in blocks if block["type"] == "text")
    if not message.content.startswith(between):
        return [block for block in blocks if block["type"] in THOUGHTS], message.content
    return [b for b in blocks if b["type"] in THOUGHTS or b["text"].strip()], message.content[len(between) :]


def _image(image: Image) -> Block:
    data = base64.b64encode(image.data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}}


def _tool(tool: ToolDef) -> Block:
    schema = {"type": "object", **tool.parameters}
    about = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **about, "input_schema": schema}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _marked(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with the end of them marked: up to there the prompt may be kept for the next call."""
    return [*blocks[:-1], {**blocks[-1], "cache_control": _CACHED}]

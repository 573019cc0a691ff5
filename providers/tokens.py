"""How many tokens a request takes, roughly: for skipping windows that are surely too small, not for billing."""

from __future__ import annotations

import json
from collections.abc import Iterable

from providers.types import Message, ToolDef

BYTES_PER_TOKEN = 3.5
PER_IMAGE = 1_000
"""A photo as chats send it: vendors count between 260 (Google) and 1,600 (Anthropic)."""
PER_MESSAGE = 4
"""What a chat template puts around each message."""


def estimate_tokens(messages: Iterable[Message], tools: Iterable[ToolDef] = ()) -> int:
    """Tokens of a conversation and the tools offered with it, by their UTF-8 length: about right for European
    languages, a little high for code and Chinese. What goes back of thoughts counts, images by their number.
    """
    size = count = images = 0
    for message in messages:
        count += 1
        size += _bytes(message.content)
        images += len(message.images)
        for block in message.thoughts.blocks if message.thoughts else ():
            size += len(json.dumps(block, default=str))
        for call in message.tool_calls:
            size += _bytes(call.name) + _bytes(json.dumps(call.arguments, default=str))
    for tool in tools:
        count += 1
        size += tool.size or tool_size(tool)
    return int(size / BYTES_PER_TOKEN) + count * PER_MESSAGE + images * PER_IMAGE


def tool_size(tool: ToolDef) -> int:
    """The bytes of a tool as it is offered."""
    return _bytes(tool.name) + _bytes(tool.description) + len(json.dumps(tool.parameters, default=str))


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

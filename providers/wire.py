"""A request in the wire format of OpenAI's chat protocol. Pure."""

from __future__ import annotations

import json
from typing import Any

from providers.history import repaired
from providers.types import ChatRequest, Message

Quirks = frozenset[str]
"""Parameters that a model refused: each is left out, or renamed where it has another name."""


def encode(model: str, request: ChatRequest, quirks: Quirks = frozenset()) -> dict[str, Any]:
    """The request's body. The answer is always streamed."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [encoded for message in repaired(request.messages) if (encoded := _message(message))],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
            }
            for t in request.tools
        ]
    if request.max_tokens is not None:
        # Reasoning models know the newer name only, many servers the older one only.
        name = "max_completion_tokens" if "max_tokens" in quirks else "max_tokens"
        body[name] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    return {name: value for name, value in body.items() if name not in quirks}


def _message(message: Message) -> dict[str, Any] | None:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
    if message.tool_calls:
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
            }
            for call in message.tool_calls
        ]
        return {"role": "assistant", "content": message.content or None, "tool_calls": calls}
    if message.role == "assistant" and not message.content:
        return None  # several servers refuse an empty assistant turn
    return {"role": message.role, "content": message.content}

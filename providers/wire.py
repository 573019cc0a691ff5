"""A request in the wire format of OpenAI's chat protocol. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from providers.history import alternating, repaired
from providers.replay import NO_SIGNATURE, give_back
from providers.types import ChatRequest, Image, Message

Quirks = frozenset[str]
"""What a model, or its server, is known to want otherwise: parameters that it refused, each of which is left out, or
renamed where it has another name; and the following.
"""

NO_THOUGHTS = "thoughts"
"""Thinking that it is given back is refused."""
REASONING = "reasoning_content"
"""Every message of the assistant has that field, empty where there is none: DeepSeek's thinking mode."""
SIGNATURE = "thought_signature"
"""The first call of each message has one: Gemini from version 3 on."""
SHORT_IDS = "tool_call_id"
"""Calls have ids of nine letters and digits: Mistral's models."""
WORD_AFTER_TOOLS = "role"
"""No message of the user follows a tool's result: older models of Mistral's."""


def encode(model: str, request: ChatRequest, quirks: Quirks = frozenset()) -> dict[str, Any]:
    """The request's body. The answer is always streamed."""
    history = repaired(request.messages, short_ids=SHORT_IDS in quirks)
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(m, quirks) for m in alternating(history, answered=WORD_AFTER_TOOLS in quirks)],
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


def _message(message: Message, quirks: Quirks) -> dict[str, Any]:
    match message.role:
        case "tool":
            return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
        case "assistant":
            encoded = _calling(message, quirks) if message.tool_calls else {}
            filled = {"reasoning_content": ""} if REASONING in quirks else {}
            return {"role": "assistant", "content": message.content or None, **filled, **encoded}
        case _:
            content = list(_parts(message)) if message.images else message.content
            return {"role": message.role, "content": content}


def _calling(message: Message, quirks: Quirks) -> dict[str, Any]:
    calls: list[dict[str, Any]] = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
        }
        for call in message.tool_calls
    ]
    encoded: dict[str, Any] = {"tool_calls": calls}
    if message.thoughts is not None and NO_THOUGHTS not in quirks:
        give_back(encoded, message.thoughts.blocks)
    if SIGNATURE in quirks and not any("extra_content" in call for call in calls):
        calls[0]["extra_content"] = NO_SIGNATURE
    return encoded


def _parts(message: Message) -> Iterator[dict[str, Any]]:
    if message.content.strip():
        yield {"type": "text", "text": message.content}
    for image in message.images:
        yield {"type": "image_url", "image_url": {"url": data_url(image)}}


def data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"

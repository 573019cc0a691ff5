"""Reads the requests of both protocols back into the neutral form, as their documentation defines them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.types import Image, Message, Route, Thoughts, ToolCall

Body = Mapping[str, Any]


def chat(body: Body, route: Route) -> list[Message]:
    """The messages of a request of OpenAI's chat protocol; thoughts in them are taken for `route`'s."""
    return [_chat_message(message, route) for message in body["messages"]]


def messages(body: Body, route: Route) -> list[Message]:
    """The messages of a request of Anthropic's Messages API."""
    found = [Message("system", block["text"]) for block in body.get("system", ())]
    for turn in body["messages"]:
        found += _user(turn["content"]) if turn["role"] == "user" else [_assistant(turn["content"], route)]
    return found


def _chat_message(message: Body, route: Route) -> Message:
    content: Any = message["content"] or ""
    parts: list[Body] = content if isinstance(content, list) else [{"type": "text", "text": content}]
    text = "\n\n".join(part["text"] for part in parts if part["type"] == "text")
    calls = message.get("tool_calls", ())
    return Message(
        message["role"],
        text,
        tuple(
            ToolCall(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls
        ),
        message.get("tool_call_id", ""),
        tuple(_from_url(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"),
        _thoughts(route, list(_chat_blocks(message, calls))),
    )


def _chat_blocks(message: Body, calls: Sequence[Body]) -> Iterator[Body]:
    for name in ("reasoning_details", "reasoning_content"):
        if name in message:
            yield {name: message[name]}
    extras = [{"index": n, "extra_content": c["extra_content"]} for n, c in enumerate(calls) if len(c) > 3]
    if extras:
        yield {"tool_calls": extras}


def _from_url(url: str) -> Image:
    head, _, data = url.partition(";base64,")
    return Image(head.removeprefix("data:"), base64.b64decode(data))


def _user(blocks: Sequence[Body]) -> list[Message]:
    results = [
        Message("tool", b.get("content", ""), tool_call_id=b["tool_use_id"])
        for b in blocks
        if b["type"] == "tool_result"
    ]
    sources = [block["source"] for block in blocks if block["type"] == "image"]
    images = tuple(Image(s["media_type"], base64.b64decode(s["data"])) for s in sources)
    text = "\n\n".join(block["text"] for block in blocks if block["type"] == "text")
    return [*results, Message("user", text, images=images)] if text or images else results


def _assistant(blocks: Sequence[Body], route: Route) -> Message:
    calls = tuple(ToolCall(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use")
    thinking = [block for block in blocks if "thinking" in block["type"]]
    text = "\n\n".join(block["text"] for block in blocks if block["type"] == "text")
    return Message("assistant", text, calls, thoughts=_thoughts(route, thinking))


def _thoughts(route: Route, blocks: list[Body]) -> Thoughts | None:
    return Thoughts(route, tuple(blocks)) if blocks else None

"""The same replies in Anthropic's Messages API: events of a stream or one whole answer, and requests and refusals
translated from and to chat completions, so that scripts and checks need not know which protocol is spoken. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.fakes.llm import errors, wire
from tests.fakes.llm.peers import Answer
from tests.fakes.llm.replies import CallStyle, Json, Reply

Event = dict[str, Any]

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}


# Answers


def opening(reply: Reply, asked: wire.Asked) -> Event:
    message = _message(reply, asked) | {"content": [], "stop_reason": None}
    return {"type": "message_start", "message": message}


def parts(reply: Reply, asked: wire.Asked) -> Iterator[list[Event]]:
    """What a stream adds, a list of events for each delta that chat completions would have."""
    style = CallStyle(fragments=reply.calls_as.fragments, same_id=reply.calls_as.same_id)
    signed = {"type": "signature_delta", "signature": reply.signature}
    kind, index = "", -1
    for delta in wire.deltas(replace(reply, reasoning_as="reasoning_content", calls_as=style), asked):
        now, block, content = _events(delta)
        events: list[Event] = []
        if block is not None and (now != kind or now == "tool_use"):
            if kind == "thinking":
                events.append({"type": "content_block_delta", "index": index, "delta": signed})
            events += [_stop(index)] if index >= 0 else []
            kind, index = now, index + 1
            events.append({"type": "content_block_start", "index": index, "content_block": block})
        if content is not None:
            events.append({"type": "content_block_delta", "index": index, "delta": content})
        yield events


def closing(reply: Reply, asked: wire.Asked) -> Iterator[Event]:
    blocks = [
        event for part in parts(reply, asked) for event in part if event["type"] == "content_block_start"
    ]
    if blocks:
        yield _stop(len(blocks) - 1)
    delta = {"stop_reason": stop_reason(reply), "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": usage(reply, asked)}
    if reply.framing.done:
        yield {"type": "message_stop"}


def completion(reply: Reply, asked: wire.Asked) -> Event:
    """The whole answer as one JSON object."""
    text = "".join(reply.text or "")
    content: list[Event] = []
    if reply.reasoning:
        content.append({"type": "thinking", "thinking": reply.reasoning, "signature": reply.signature})
    if text:
        content.append({"type": "text", "text": text})
    for index, call in enumerate(reply.calls):
        id_ = wire.call_id(reply, asked, index)
        content.append({"type": "tool_use", "id": id_, "name": call.name, "input": call.arguments})
    return _message(reply, asked) | {"content": content, "stop_reason": stop_reason(reply)}


def stop_reason(reply: Reply) -> str:
    said = wire.finish(reply)
    return _STOP_REASONS.get(said, said)


def usage(reply: Reply, asked: wire.Asked) -> dict[str, Any]:
    if reply.usage is False:
        return {}
    counts = wire.usage(reply, replace(asked, body=as_chat(asked.body)))
    if "input_tokens" in counts:
        return counts
    cached = (counts.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    read = {"cache_read_input_tokens": cached, "cache_creation_input_tokens": 0}
    fresh = counts.get("prompt_tokens", 0) - cached
    return {"input_tokens": fresh, **read, "output_tokens": counts.get("completion_tokens", 0)}


def _message(reply: Reply, asked: wire.Asked) -> dict[str, Any]:
    head = {
        "id": f"msg_{asked.number}",
        "type": "message",
        "role": "assistant",
        "model": asked.body.get("model"),
    }
    return head | {"stop_sequence": None, "usage": usage(reply, asked)}


def _events(delta: Mapping[str, Any]) -> tuple[str, Event | None, Event | None]:
    """A chat delta as kind of block, the block if it may begin one, and the delta inside of it."""
    if "reasoning_content" in delta:
        thought = {"type": "thinking_delta", "thinking": delta["reasoning_content"]}
        return "thinking", {"type": "thinking", "thinking": "", "signature": ""}, thought
    if "content" in delta:
        return "text", {"type": "text", "text": ""}, {"type": "text_delta", "text": delta["content"]}
    [call] = delta["tool_calls"]
    arguments = call["function"]["arguments"]
    text = arguments if isinstance(arguments, str) else wire.dumps(arguments)
    piece = {"type": "input_json_delta", "partial_json": text} if text else None
    if "id" not in call:
        return "tool_use", None, piece
    return (
        "tool_use",
        {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": {}},
        piece,
    )


def _stop(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


# Requests


def as_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request as chat completions would put it."""
    messages: list[dict[str, Any]] = []
    if system := _text(body.get("system")):
        messages.append({"role": "system", "content": system})
    for turn in body.get("messages") or []:
        messages += _chat_messages(turn)
    tools = [
        {"type": "function", "function": {"name": tool.get("name"), "parameters": tool.get("input_schema")}}
        for tool in body.get("tools") or []
    ]
    kept = {name: body[name] for name in ("model", "max_tokens", "temperature", "stream") if name in body}
    return kept | {"messages": messages} | ({"tools": tools} if tools else {})


def _chat_messages(turn: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    blocks = _blocks(turn)
    for block in blocks:
        if block["type"] == "tool_result":
            result = _text(block.get("content"))
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": result}
    text: Any = _text([block for block in blocks if block["type"] == "text"])
    if images := [block for block in blocks if block["type"] == "image"]:
        text = [{"type": "text", "text": text}, *({"type": "image_url"} for _ in images)]
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
        }
        for block in blocks
        if block["type"] == "tool_use"
    ]
    if calls:
        yield {"role": turn["role"], "content": text or None, "tool_calls": calls}
    elif text:
        yield {"role": turn["role"], "content": text}


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content)
    return str(content or "")


def faults(body: Mapping[str, Any], wants: Collection[str] = ()) -> Iterator[str]:
    """What the API refuses beyond what chat completions do."""
    if not isinstance(body.get("max_tokens"), int):
        yield "max_tokens: Field required"
    turns = body.get("messages")
    if not isinstance(turns, list) or not turns:
        yield "messages: at least one message is required"
        return
    roles = [turn.get("role") for turn in turns]
    if roles != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
        yield "messages: roles must alternate between user and assistant, from user to user"
    marks = json.dumps(body).count('"cache_control"')
    if marks > 4:
        yield f"A maximum of 4 blocks with cache_control may be provided. Found {marks}."
    yield from _turn_faults(turns)
    yield from _thinking_faults(body, turns)
    if "no token budget" in wants and "budget_tokens" in (body.get("thinking") or {}):
        yield (
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    ids = [id_ for turn in turns for id_ in _values(turn, "tool_use", "id")]
    if len(set(ids)) != len(ids):
        yield "messages: `tool_use` ids must be unique"
    if ids and not body.get("tools"):
        yield "Requests which have `tool_use` or `tool_result` blocks in `messages` must define `tools`"


def _turn_faults(turns: list[Any]) -> Iterator[str]:
    waiting: list[str] = []
    for place, turn in enumerate(turns):
        results = _values(turn, "tool_result", "tool_use_id")
        if sorted(results) != sorted(waiting):
            yield f"messages.{place}: `tool_use` ids without `tool_result` blocks immediately after, or the reverse"
        if any(block["type"] != "tool_result" for block in _blocks(turn)[: len(results)]):
            yield f"messages.{place}: `tool_result` blocks must come first"
        if not all(text.strip() for text in _values(turn, "text", "text")):
            yield f"messages.{place}: text content blocks must contain non-whitespace text"
        waiting = _values(turn, "tool_use", "id")


def _thinking_faults(body: Mapping[str, Any], turns: list[Any]) -> Iterator[str]:
    """The rules of extended thinking, as its documentation has them."""
    for place, turn in enumerate(turns):
        for number, block in enumerate(_blocks(turn)):
            if block["type"] == "thinking" and not block["signature"].startswith("c2ln"):
                yield f"messages.{place}.content.{number}: Invalid `signature` in `thinking` block"
    thinking = body.get("thinking") or {}
    if thinking.get("type") != "enabled":
        return
    if not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."
    if body.get("temperature", 1) != 1:
        yield "`temperature` may only be set to 1 when thinking is enabled."
    last = next((turn for turn in reversed(turns) if turn["role"] == "assistant"), None)
    if last and _values(last, "tool_use", "id") and "thinking" not in _blocks(last)[0]["type"]:
        yield "Expected `thinking` or `redacted_thinking`, but found `tool_use`."


def _blocks(turn: Mapping[str, Any]) -> list[Any]:
    content = turn.get("content")
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _values(turn: Mapping[str, Any], kind: str, name: str) -> list[str]:
    return [block[name] for block in _blocks(turn) if block["type"] == kind]


def refused(answer: Answer) -> Answer:
    """A refusal of chat completions in this API's words."""
    if not isinstance(answer.body, dict) or not isinstance(error := answer.body.get("error"), dict):
        return answer
    kind = _TYPES.get(answer.status, "invalid_request_error" if answer.status < 500 else "api_error")
    body: Json = errors.anthropic(kind, str(error.get("message")))
    return Answer(answer.status, body)

"""What real servers refuse in a request for chat, so that a client's faults show in a test. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.llm import peers, wire
from tests.fakes.llm.peers import Answer, Setup

_ROLES = ("system", "developer", "user", "assistant", "tool")
_UNANSWERED = "'tool_calls' must be followed by tool messages responding to each; without response: {}"


def refusal(setup: Setup, body: object) -> Answer | None:
    """The error that this request deserves; None for a sound one."""
    if not isinstance(body, dict):
        return peers.bad_request(setup, "We could not parse the JSON body of your request.")
    if setup.strict:
        fault = next(_faults(setup, body), None)
        if fault is not None:
            return fault
    tokens = wire.count(body)
    if setup.window_enforced and tokens > setup.n_ctx and setup.kind != "ollama":
        return peers.too_long(setup, tokens)
    return None


def _faults(setup: Setup, body: Mapping[str, Any]) -> Iterator[Answer]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield peers.bad_request(setup, "'messages' is required")
        return
    model = body.get("model")
    if setup.kind not in ("llama-server", "lm-studio") and model not in setup.models:
        yield peers.unknown_model(setup, str(model))
    if body.get("stream_options") is not None and not body.get("stream"):
        yield peers.bad_request(setup, "'stream_options' is only allowed when 'stream' is enabled.")
    for text in _tool_faults(body.get("tools")):
        yield peers.bad_request(setup, text)
    for text, status in _message_faults(messages):
        yield peers.bad_request(setup, text, status if setup.kind == "llama-server" else 400)
    for place, message in enumerate(messages):
        for text in _unwanted(setup, place, message, messages[place - 1] if place else {}):
            yield peers.bad_request(setup, text)


def _unwanted(
    setup: Setup, place: int, message: Mapping[str, Any], before: Mapping[str, Any]
) -> Iterator[str]:
    """What models of single vendors refuse, in the words of their servers."""
    wants, calls = setup.wants, message.get("tool_calls") or []
    for call in calls if "short ids" in wants else ():
        if not re.fullmatch("[a-zA-Z0-9]{9}", call["id"]):
            yield f"Tool call id was {call['id']} but must be a-z, A-Z, 0-9, with a length of 9."
    if "no user after tool" in wants and (before.get("role"), message["role"]) == ("tool", "user"):
        yield "Unexpected role 'user' after role 'tool'"
    thought = message["role"] != "assistant" or isinstance(message.get("reasoning_content"), str)
    if "reasoning back" in wants and not thought:
        yield f"Missing `reasoning_content` field in the assistant message at message index {place}."
    if "call signature" in wants and calls:
        google = (calls[0].get("extra_content") or {}).get("google") or {}
        if not google.get("thought_signature"):
            yield "Function call is missing a thought_signature in functionCall parts."
    if "no images" in wants and '"image_url"' in json.dumps(message.get("content")):
        yield "No endpoints found that support image input"


def _tool_faults(tools: object) -> Iterator[str]:
    if tools is None:
        return
    if not isinstance(tools, list) or not tools:
        yield "[] is too short - 'tools'"
        return
    for place, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            yield f"Missing required parameter: 'tools[{place}].function.name'."
        elif not isinstance(function.get("parameters", {}), dict):
            yield f"Invalid schema for function '{function['name']}'."


def _message_faults(messages: list[Any]) -> Iterator[tuple[str, int]]:
    """Each fault with the status that llama-server gives it."""
    waiting: dict[str, None] = {}
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            yield f"Invalid value: {role!r}. Supported values are: {', '.join(_ROLES)}. ({where}.role)", 400
            return
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                yield f"Messages with role 'tool' must answer a message with 'tool_calls'. ({where})", 400
            waiting.pop(message.get("tool_call_id"), None)
        elif waiting:
            yield _UNANSWERED.format(", ".join(waiting)), 400
        if role == "assistant":
            waiting = {str(call.get("id")): None for call in message.get("tool_calls") or []}
            yield from _call_faults(message, where)
        elif not isinstance(message.get("content"), str | list):
            yield f"Invalid value for 'content': expected a string. ({where})", 400
    if waiting:
        yield _UNANSWERED.format(", ".join(waiting)), 400


def _call_faults(message: Mapping[str, Any], where: str) -> Iterator[tuple[str, int]]:
    calls = message.get("tool_calls")
    if calls == []:
        yield f"[] is too short - '{where}.tool_calls'", 400
    if not calls and message.get("content") is None:
        yield f"Invalid value for 'content': expected a string, got null. ({where})", 400
    for call in calls or []:
        function = call.get("function") or {}
        if not call.get("id") or call.get("type") != "function" or not function.get("name"):
            yield f"Missing required parameter in '{where}.tool_calls'.", 400
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            yield f"Invalid type for '{where}.tool_calls.function.arguments': expected a string.", 400
            continue
        try:
            json.loads(arguments)
        except ValueError as error:
            # OpenAI itself takes them; llama-server answers 500. Whoever sends them would fail there.
            yield f"Failed to parse tool call arguments as JSON: {error}", 500

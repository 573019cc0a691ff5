"""Any conversation becomes a request that each protocol's servers accept, and nothing of it is lost on the way."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers import anthropic_wire, wire
from providers.anthropic_answer import BlockAssembly
from providers.errors import ProviderError
from providers.history import LOST_RESULT
from providers.types import ChatRequest, Message, ToolCall, ToolDef
from tests.fakes.llm import Setup, checks, messages

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
IDS = st.sampled_from(["a", "b", "call_1", "functions.look:0", ""])
ARGUMENTS = st.dictionaries(TEXT, st.integers() | TEXT | st.none() | st.lists(TEXT, max_size=2), max_size=3)
CALLS = st.builds(ToolCall, IDS, st.sampled_from(["look", "clock"]), ARGUMENTS)
MESSAGES = st.one_of(
    st.builds(Message, st.just("user"), TEXT),
    st.builds(Message, st.just("assistant"), TEXT, st.lists(CALLS, max_size=3).map(tuple)),
    st.builds(Message, st.just("tool"), TEXT, tool_call_id=IDS),
)
HISTORIES = st.builds(
    lambda system, rest: (*system, *rest),
    st.lists(st.builds(Message, st.just("system"), TEXT), max_size=1),
    st.lists(MESSAGES, max_size=10),
)
TOOLS = st.sampled_from([(), (ToolDef("look", "Looks.", {"type": "object", "properties": {}}),)])
REQUESTS = st.builds(ChatRequest, HISTORIES, TOOLS)


@given(REQUESTS)
def test_anthropics_rules_are_kept_whatever_was_said(request: ChatRequest) -> None:
    body = anthropic_wire.encode("fake-1", request)

    assert list(messages.faults(body)) == []
    assert checks.refusal(Setup(), messages.as_chat(body)) is None


@given(REQUESTS)
def test_chat_completions_rules_are_kept_whatever_was_said(request: ChatRequest) -> None:
    body = wire.encode("fake-1", request)

    assert not body["messages"] or checks.refusal(Setup(), body) is None


def said(request: ChatRequest) -> Counter[tuple[str, str]]:
    """The texts and calls of a conversation, and how often each occurs; blank texts say nothing."""
    texts = [(m.role, m.content) for m in request.messages if m.role != "tool" and m.content.strip()]
    return Counter(texts) + Counter(_calls(call for m in request.messages for call in m.tool_calls))


def _calls(calls: Any) -> list[tuple[str, str]]:
    return [("call", json.dumps([call.name, call.arguments])) for call in calls]


def decoded_messages(body: dict[str, Any]) -> Counter[tuple[str, str]]:
    blocks = [(turn["role"], block) for turn in body["messages"] for block in turn["content"]]
    blocks += [("system", block) for block in body.get("system", [])]
    texts = [(role, b["text"]) for role, b in blocks if b["type"] == "text"]
    uses = [ToolCall("", b["name"], b["input"]) for _, b in blocks if b["type"] == "tool_use"]
    return Counter(texts) - Counter({("user", "(go on)"): 2}) + Counter(_calls(uses))


def decoded_chat(body: dict[str, Any]) -> Counter[tuple[str, str]]:
    texts = [(m["role"], m["content"]) for m in body["messages"] if m["role"] != "tool"]
    functions = [call["function"] for m in body["messages"] for call in m.get("tool_calls", ())]
    uses = [ToolCall("", f["name"], json.loads(f["arguments"])) for f in functions]
    return Counter((role, text) for role, text in texts if text and text.strip()) + Counter(_calls(uses))


@given(REQUESTS)
def test_every_text_and_call_arrives_in_both_protocols(request: ChatRequest) -> None:
    assert decoded_messages(anthropic_wire.encode("m", request)) == said(request)
    assert decoded_chat(wire.encode("m", request)) == said(request)


@given(st.lists(st.lists(st.tuples(CALLS, TEXT), min_size=1, max_size=3), max_size=4))
def test_each_result_stands_with_its_own_call_in_both_protocols(
    rounds: list[list[tuple[ToolCall, str]]],
) -> None:
    history: list[Message] = [Message("user", "go")]
    for round_ in rounds:
        history.append(Message("assistant", "", tuple(call for call, _ in round_)))
        history += [Message("tool", text, tool_call_id=call.id) for call, text in round_]
    wanted = [(call.name, dict(call.arguments), text) for round_ in rounds for call, text in round_]
    request = ChatRequest(tuple(history))

    chat = wire.encode("m", request)["messages"]
    results = {m["tool_call_id"]: m["content"] for m in chat if m["role"] == "tool"}
    calls = [call for m in chat for call in m.get("tool_calls", ())]
    assert wanted == [
        (c["function"]["name"], json.loads(c["function"]["arguments"]), results[c["id"]]) for c in calls
    ]
    blocks = [block for turn in anthropic_wire.encode("m", request)["messages"] for block in turn["content"]]
    results = {b["tool_use_id"]: b.get("content", "") for b in blocks if b["type"] == "tool_result"}
    uses = [b for b in blocks if b["type"] == "tool_use"]
    blank = [(name, arguments, text if text.strip() else "") for name, arguments, text in wanted]
    assert blank == [(b["name"], b["input"], results[b["id"]]) for b in uses]
    assert LOST_RESULT not in results.values()


Cuts = st.lists(st.integers(min_value=0, max_value=400), max_size=12)


@given(st.lists(ARGUMENTS, min_size=1, max_size=4, unique_by=json.dumps), Cuts)
def test_arguments_survive_any_fragmentation(calls: list[dict[str, Any]], cuts: list[int]) -> None:
    assembly = BlockAssembly()
    for index, arguments in enumerate(calls):
        head = {"type": "tool_use", "id": f"t{index}", "name": "look", "input": {}}
        assembly.add({"type": "content_block_start", "index": index, "content_block": head})
        text = json.dumps(arguments)
        at = sorted({min(cut, len(text)) for cut in cuts})
        for start, end in zip([0, *at], [*at, len(text)], strict=True):
            piece = {"type": "input_json_delta", "partial_json": text[start:end]}
            assembly.add({"type": "content_block_delta", "index": index, "delta": piece})
    assembly.add({"type": "message_delta", "delta": {"stop_reason": "tool_use"}})
    assembly.add({"type": "message_stop"})

    _, completion = assembly.finish()

    assert [dict(call.arguments) for call in completion.message.tool_calls] == calls


KEYS = ["type", "text", "thinking", "partial_json", "id", "name", "input", "stop_reason", "signature", "data"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("tool_use"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
KINDS = ["message_start", "content_block_start", "content_block_delta", "content_block_stop"]
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from([*KINDS, "message_delta", "message_stop", "message", "ping"]) | JSON},
    optional=dict.fromkeys(
        ("message", "index", "content_block", "delta", "usage", "content", *KEYS[1:]), JSON
    ),
)


@given(st.lists(EVENTS, max_size=5))
def test_no_event_whatever_raises_anything_but_an_error_of_ours(events: list[dict[str, Any]]) -> None:
    assembly = BlockAssembly()
    with contextlib.suppress(ProviderError):
        for event in events:
            assembly.add(event)
        assembly.finish()

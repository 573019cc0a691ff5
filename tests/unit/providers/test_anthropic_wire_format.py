"""Anthropic's Messages API: the request as JSON, and an answer put together from its events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.anthropic_answer import BlockAssembly
from providers.anthropic_wire import encode
from providers.errors import Empty, Malformed, ProviderError, Refused, TooLong
from providers.types import (
    ChatRequest,
    Completion,
    Message,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolDef,
    Usage,
)

TOOL = ToolDef("look", "Looks.", {"properties": {"at": {"type": "string"}}})
CALL = ToolCall("c1", "look", {"at": "ü"})
MARK = {"cache_control": {"type": "ephemeral"}}
HELLO = Message("user", "hello")


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def turns(*messages: Message) -> list[tuple[str, list[str]]]:
    """Each turn's role and what its blocks hold."""
    body = encode("m", ChatRequest(messages))
    return [
        (turn["role"], [block.get("text", block.get("content", block["type"])) for block in turn["content"]])
        for turn in body["messages"]
    ]


# Requests


def test_a_whole_conversation_is_encoded() -> None:
    request = ChatRequest(
        (
            Message("system", "Be kind."),
            Message("user", "Look."),
            Message("assistant", "Looking.", (CALL,)),
            Message("tool", "a cat", tool_call_id="c1"),
            Message("assistant", ""),
            Message("user", "And?"),
        ),
        (TOOL,),
        max_tokens=100,
        temperature=1.5,
    )

    assert encode("m", request) == {
        "model": "m",
        "max_tokens": 100,
        "stream": True,
        "system": [text("Be kind.", **MARK)],
        "messages": [
            {"role": "user", "content": [text("Look.", **MARK)]},
            {
                "role": "assistant",
                "content": [
                    text("Looking."),
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "ü"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "a cat"},
                    text("And?", **MARK),
                ],
            },
        ],
        "tools": [
            {
                "name": "look",
                "description": "Looks.",
                "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}},
                **MARK,
            }
        ],
        "temperature": 1.0,
    }


def test_nothing_is_sent_that_was_not_asked_for_but_the_length_that_the_protocol_wants() -> None:
    body = encode("m", ChatRequest((HELLO,)))

    assert set(body) == {"model", "max_tokens", "messages", "stream"}
    assert body["max_tokens"] == 4096


def test_what_a_model_refused_is_left_out() -> None:
    assert "temperature" not in encode(
        "m", ChatRequest((HELLO,), temperature=0.5), frozenset({"temperature"})
    )


def test_neighbours_of_one_role_become_one_turn() -> None:
    talk = (
        HELLO,
        Message("user", "there"),
        Message("assistant", "Hi."),
        Message("assistant", "Well?"),
        HELLO,
    )

    assert turns(*talk) == [
        ("user", ["hello", "there"]),
        ("assistant", ["Hi.", "Well?"]),
        ("user", ["hello"]),
    ]


def test_it_begins_and_ends_with_the_user() -> None:
    assert turns(Message("assistant", "Hi.")) == [
        ("user", ["(go on)"]),
        ("assistant", ["Hi."]),
        ("user", ["(go on)"]),
    ]
    assert turns(Message("system", "Be kind.")) == [("user", ["(go on)"])]


def test_blank_texts_are_not_sent() -> None:
    assert turns(Message("user", " \n"), HELLO) == [("user", ["hello"])]
    assert turns(HELLO, Message("assistant", " ", (CALL,)), Message("tool", " ", tool_call_id="c1")) == [
        ("user", ["hello"]),
        ("assistant", ["tool_use"]),
        ("user", ["tool_result"]),
    ]


def test_a_history_with_calls_names_their_tools_although_none_is_offered() -> None:
    body = encode("m", ChatRequest((HELLO, Message("assistant", "", (CALL, CALL)), HELLO)))

    assert body["tools"] == [{"name": "look", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


def test_the_newest_two_turns_of_the_user_are_marked() -> None:
    talk = [HELLO, *(m for n in range(4) for m in (Message("assistant", f"{n}"), Message("user", f"{n}")))]

    body = encode("m", ChatRequest((Message("system", "a"), Message("system", "b"), *talk), (TOOL,)))

    marked = [
        turn["content"][-1]["text"] for turn in body["messages"] if "cache_control" in turn["content"][-1]
    ]
    assert marked == ["2", "3"]
    assert body["system"] == [text("a"), text("b", **MARK)]
    assert json.dumps(body).count("cache_control") == 4


# Answers


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def end(reason: str | None, **usage: Any) -> list[dict[str, Any]]:
    return [
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage},
        {"type": "message_stop"},
    ]


def use(index: int, name: str, *pieces: str) -> list[dict[str, Any]]:
    head = start(index, type="tool_use", id=f"t{index}", name=name, input={})
    return [
        head,
        *(delta(index, type="input_json_delta", partial_json=piece) for piece in pieces),
        {"type": "content_block_stop", "index": index},
    ]


def assemble(*events: dict[str, Any]) -> tuple[list[TextDelta | ReasoningDelta], Completion]:
    assembly = BlockAssembly()
    shown = [delta for event in events for delta in assembly.add(event)]
    assert assembly.ended
    last, completion = assembly.finish()
    return shown + last, completion


def test_thought_text_and_calls_of_one_answer() -> None:
    shown, completion = assemble(
        {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}},
        start(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="Hm."),
        delta(0, type="signature_delta", signature="c2ln"),
        {"type": "ping"},
        start(1, type="text", text=""),
        delta(1, type="text_delta", text=" Look"),
        delta(1, type="text_delta", text="ing. "),
        *use(2, "look", '{"at', '": 1}'),
        *use(3, "clock"),
        *end("tool_use", output_tokens=30),
    )

    assert shown == [ReasoningDelta("Hm."), TextDelta("Look"), TextDelta("ing. ")]
    calls = (ToolCall("t2", "look", {"at": 1}), ToolCall("t3", "clock", {}))
    assert completion == Completion(Message("assistant", "Looking.", calls), "tool_calls", Usage(7, 30))


def test_what_the_cache_held_is_part_of_the_prompt() -> None:
    counts = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    said = [start(0, type="text", text="Hi"), *end("end_turn", output_tokens=2, input_tokens=None)]

    _, completion = assemble({"type": "message_start", "message": {"usage": counts}}, *said)

    assert completion.usage == Usage(125, 2, 100, written_tokens=20)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "filtered"),
        ("tool_use", "stop"),
        ("news", "stop"),
        (None, "stop"),
    ],
)
def test_reasons_for_the_end_of_a_text(reason: str | None, finish: str) -> None:
    assert assemble(start(0, type="text", text="Hi"), *end(reason))[1].finish == finish


@pytest.mark.parametrize(
    ("events", "error"),
    [
        (end("end_turn"), Empty),
        (end("max_tokens"), Empty),
        (end("refusal"), Refused),
        (end("model_context_window_exceeded"), TooLong),
        ([start(0, type="thinking", thinking="Hm"), *end("end_turn")], Empty),
        ([*use(0, "look", '{"at'), *end("tool_use")], Malformed),
        ([*use(0, "", "{}"), *end("tool_use")], Malformed),
        ([*use(0, "look", "[1]"), *end("tool_use")], Malformed),
    ],
)
def test_an_answer_without_anything_usable(events: list[dict[str, Any]], error: type[ProviderError]) -> None:
    with pytest.raises(error):
        assemble(*events)


@pytest.mark.parametrize("cut", ["", '{"at', '{"at": "x'])
def test_a_call_that_was_cut_off_is_left_out(cut: str) -> None:
    _, completion = assemble(*use(0, "look", '{"at": 1}'), *use(1, "look", cut), *end("max_tokens"))

    assert [call.arguments for call in completion.message.tool_calls] == [{"at": 1}]
    assert (completion.dropped_calls, completion.finish) == (1, "length")


def test_calls_of_a_refused_answer_are_not_made() -> None:
    _, completion = assemble(start(0, type="text", text="I"), *use(1, "look", "{}"), *end("refusal"))

    assert completion == Completion(Message("assistant", "I"), "filtered", dropped_calls=1)


def test_a_whole_answer_at_once() -> None:
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "abc"},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"at": 1}},
    ]
    usage = {"input_tokens": 3, "output_tokens": 4}
    whole = {"type": "message", "content": content, "stop_reason": "tool_use", "usage": usage}

    shown, completion = assemble(whole)

    assert shown == [ReasoningDelta("Hm."), TextDelta("Looking.")]
    calls = (ToolCall("t", "look", {"at": 1}),)
    assert completion == Completion(Message("assistant", "Looking.", calls), "tool_calls", Usage(3, 4))


def test_only_what_belongs_to_the_answer_is_progress() -> None:
    assembly = BlockAssembly()
    for event in ({"type": "message_start", "message": {}}, {"type": "ping"}, start(0, type="text", text="")):
        assembly.add(event)
        assert (assembly.progress(), assembly.begun) == (0, False)
    before = 0
    for event in (
        delta(0, type="text_delta", text="a"),
        delta(1, type="signature_delta", signature="a"),
        start(2, type="redacted_thinking", data="a"),
        *use(3, "look", "{}")[:2],
        *end("end_turn"),
    ):
        assembly.add(event)
        assert assembly.progress() > before
        before = assembly.progress()

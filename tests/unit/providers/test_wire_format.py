"""The request as JSON, and an answer put together from pieces that servers spell in their own ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.assembly import Assembly
from providers.errors import Empty, Malformed, Overloaded, Refused, ServerError
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
from providers.wire import encode

TOOL = ToolDef("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
CALL = ToolCall("c1", "look", {"at": "ü"})


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(
    id_: str | None = None, name: str | None = None, arguments: Any = None, index: int | None = 0
) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    head = {key: value for key, value in (("index", index), ("id", id_)) if value is not None}
    return {**head, "type": "function", "function": function}


def calls(*deltas: dict[str, Any]) -> dict[str, Any]:
    return chunk(tool_calls=list(deltas))


def assemble(
    *chunks: dict[str, Any], tools: bool = True
) -> tuple[list[TextDelta | ReasoningDelta], Completion]:
    assembly = Assembly(tools=tools)
    shown = [delta for one in chunks for delta in assembly.add(one)]
    last, completion = assembly.finish()
    return shown + last, completion


# Requests


def test_a_whole_conversation_is_encoded() -> None:
    request = ChatRequest(
        (
            Message("system", "Be kind."),
            Message("user", "Look."),
            Message("assistant", "", (CALL,)),
            Message("tool", "a cat", tool_call_id="c1"),
            Message("assistant", ""),
            Message("user", "And?"),
        ),
        (TOOL,),
        max_tokens=100,
        temperature=0.5,
    )

    body = encode("m", request)

    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Look."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "ü"}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
            {"role": "user", "content": "And?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [
            {
                "type": "function",
                "function": {"name": "look", "description": "Looks.", "parameters": dict(TOOL.parameters)},
            }
        ],
        "max_tokens": 100,
        "temperature": 0.5,
    }


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    assert set(encode("m", ChatRequest((Message("user", "hi"),)))) == {
        "model",
        "messages",
        "stream",
        "stream_options",
    }


@pytest.mark.parametrize(
    ("quirks", "present", "absent"),
    [
        ({"max_tokens"}, {"max_completion_tokens"}, {"max_tokens"}),
        ({"max_tokens", "max_completion_tokens"}, set[str](), {"max_tokens", "max_completion_tokens"}),
        ({"temperature"}, {"max_tokens"}, {"temperature"}),
        ({"stream_options"}, {"stream"}, {"stream_options"}),
    ],
)
def test_what_a_model_refused_is_left_out_or_renamed(
    quirks: set[str], present: set[str], absent: set[str]
) -> None:
    request = ChatRequest((Message("user", "hi"),), max_tokens=5, temperature=1)

    body = encode("m", request, frozenset(quirks))

    assert present <= set(body)
    assert not absent & set(body)


# Text and thoughts


def test_text_comes_as_it_is_sent() -> None:
    shown, completion = assemble(
        chunk(role="assistant", content=""), chunk(content="Hel"), chunk("stop", content="lo")
    )

    assert shown == [TextDelta("Hel"), TextDelta("lo")]
    assert completion == Completion(Message("assistant", "Hello"), "stop")


@pytest.mark.parametrize(
    "thought",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"text": "m"}]},
        {"reasoning": "hm", "reasoning_details": [{"text": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": "<think>hm</think>"},
        {"content": " \n<think>hm</think>"},
    ],
)
def test_thoughts_are_told_from_the_answer(thought: dict[str, Any]) -> None:
    shown, completion = assemble(chunk(**thought), chunk("stop", content="\n\nHello"))

    assert shown == [ReasoningDelta("hm"), TextDelta("Hello")]
    assert completion.message.content == "Hello"


def test_a_thought_whose_opening_tag_was_in_the_prompt_is_not_part_of_the_answer() -> None:
    _, completion = assemble(chunk(content="I wonder. </th"), chunk("stop", content="ink>Hello"))

    assert completion.message.content == "Hello"


def test_a_tag_that_the_answer_speaks_about_stays() -> None:
    _, completion = assemble(chunk("stop", content="Write `<think>` and `</think>` around it."))

    assert completion.message.content == "Write `<think>` and `</think>` around it."


def test_content_in_typed_parts() -> None:
    _, completion = assemble(
        chunk("stop", content=[{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}])
    )

    assert completion.message.content == "Hello"


def test_a_whole_answer_in_one_piece() -> None:
    message = {"role": "assistant", "content": "Hello", "tool_calls": [call("c1", "look", '{"at": 1}', None)]}

    _, completion = assemble({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    assert completion.message == Message("assistant", "Hello", (ToolCall("c1", "look", {"at": 1}),))


def test_other_choices_and_chunks_without_any_are_passed_over() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "no"}}]}

    _, completion = assemble(other, {"choices": []}, {"object": "x"}, chunk("stop", content="yes"))

    assert completion.message.content == "yes"


# Tool calls

PIECES: list[list[dict[str, Any]]] = [
    [calls(call("c1", "look", "")), calls(call(None, None, '{"at"')), calls(call(None, None, ': "ü"}'))],
    [calls(call("c1", "look", '{"at": "ü"}'))],
    [calls(call("c1", "look", {"at": "ü"}))],
    [calls(call("c1", "look", '{"at"', None)), calls(call("c1", None, ': "ü"}', None))],
    [calls(call("c1", "look", '{"at"')), calls(call("c1", "look", ': "ü"}'))],
    [calls(call("c1", "look", '{"at"')), calls(call("", "", ': "ü"}'))],
    [calls(call("c1", "look", json.dumps('{"at": "ü"}')))],
    [calls(call("c1", None, "")), calls(call(None, "look", '{"at": "ü"}'))],
]


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("finish", ["tool_calls", "stop", "function_call"])
def test_a_call_is_put_together_however_it_is_cut(pieces: list[dict[str, Any]], finish: str) -> None:
    _, completion = assemble(*pieces, chunk(finish))

    assert completion.message.tool_calls == (CALL,)
    assert completion.finish == "tool_calls"
    assert completion.dropped_calls == 0


@pytest.mark.parametrize(
    "pieces",
    [
        [calls(call("c1", "look", "{}", 0), call("c2", "find", '{"x": 1}', 1))],
        [calls(call("c1", "look", "{}", None)), calls(call("c2", "find", '{"x": 1}', None))],
        [calls(call("c1", "look", "{}", 0)), calls(call("c2", "find", '{"x": 1}', 0))],
        [
            calls(call("c1", "look", "{", 0)),
            calls(call("c2", "find", '{"x"', 1)),
            calls(call(None, None, "}", 0)),
            calls(call(None, None, ": 1}", 1)),
        ],
    ],
)
def test_several_calls_are_told_apart(pieces: list[dict[str, Any]]) -> None:
    _, completion = assemble(*pieces, chunk("tool_calls"))

    assert completion.message.tool_calls == (ToolCall("c1", "look", {}), ToolCall("c2", "find", {"x": 1}))


def test_every_call_gets_an_id_of_its_own() -> None:
    made = [call(id_, "look", f'{{"n": {n}}}', n) for n, id_ in enumerate(["same", "same", None])]

    _, completion = assemble(calls(*made), chunk("tool_calls"))

    ids = [one.id for one in completion.message.tool_calls]
    assert ids[0] == "same"
    assert len(set(ids)) == 3
    assert all(ids)


def test_the_very_same_call_is_made_once() -> None:
    same = [call(f"c{n}", "look", '{"at": "x"}', n) for n in range(3)]

    _, completion = assemble(calls(*same), chunk("tool_calls"))

    assert completion.message.tool_calls == (ToolCall("c0", "look", {"at": "x"}),)


@pytest.mark.parametrize("cut", ['{"at": ', "", '{"at": "x"', "[1]", "nonsense"])
def test_a_call_cut_off_by_the_token_limit_is_dropped_and_counted(cut: str) -> None:
    _, completion = assemble(
        chunk(content="I look."),
        calls(call("c1", "look", "{}", 0), call("c2", "look", cut, 1)),
        chunk("length"),
    )

    assert completion.message.tool_calls == (ToolCall("c1", "look", {}),)
    assert completion.dropped_calls == 1
    assert completion.finish == "length"


def test_nothing_but_a_cut_call_is_an_answer_that_says_so() -> None:
    _, completion = assemble(calls(call("c1", "look", '{"at')), chunk("length"))

    assert (completion.message.content, completion.message.tool_calls, completion.dropped_calls) == (
        "",
        (),
        1,
    )


def test_an_unreadable_call_without_reason_is_the_models_fault() -> None:
    with pytest.raises(Malformed):
        assemble(calls(call("c1", "look", '{"at')), chunk("tool_calls"))


# Calls written into the text

WRITTEN = '<tool_call>\n{"name": "look", "arguments": {"at": "x"}}\n</tool_call>'


@pytest.mark.parametrize("text", [WRITTEN, f"Let me see.\n{WRITTEN}", WRITTEN.removesuffix("</tool_call>")])
def test_a_call_written_into_the_text_is_recovered(text: str) -> None:
    shown, completion = assemble(chunk("stop", content=text))

    [made] = completion.message.tool_calls
    assert (made.name, made.arguments) == ("look", {"at": "x"})
    assert made.id
    assert completion.finish == "tool_calls"
    assert "tool_call" not in completion.message.content
    assert not any("tool_call" in delta.text for delta in shown)


def test_what_looks_like_a_call_is_text_where_no_tools_were_offered() -> None:
    _, completion = assemble(chunk("stop", content=WRITTEN), tools=False)

    assert completion.message.tool_calls == ()
    assert "tool_call" in completion.message.content


def test_what_is_no_call_stays_text() -> None:
    _, completion = assemble(chunk("stop", content="See <tool_call>like this</tool_call> there."))

    assert completion.message.tool_calls == ()
    assert "<tool_call>like this</tool_call>" in completion.message.content


def test_a_half_written_call_is_never_made() -> None:
    _, completion = assemble(chunk("length", content='Yes. <tool_call>{"name": "look", "argu'))

    assert completion.message == Message("assistant", "Yes.")
    assert completion.dropped_calls == 1


# Ends


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("content_filter", "filtered"),
        ("tool_calls", "stop"),
        ("eos", "stop"),
    ],
)
def test_reasons_for_the_end(reason: str, finish: str) -> None:
    assert assemble(chunk(reason, content="Hello"))[1].finish == finish


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        ([chunk("stop")], Empty),
        ([chunk("stop", content="  \n")], Empty),
        ([chunk("length", reasoning="hm")], Empty),
        ([{"choices": []}], Empty),
        ([chunk("content_filter")], Refused),
        ([chunk("error", content="Hel")], ServerError),
        ([chunk("network_error", content="Hel")], ServerError),
        ([chunk("insufficient_system_resource", content="Hel")], Overloaded),
    ],
)
def test_what_is_no_answer_is_an_error(chunks: list[dict[str, Any]], error: type[Exception]) -> None:
    with pytest.raises(error):
        assemble(*chunks)


@pytest.mark.parametrize(
    ("event", "usage"),
    [
        ({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}, Usage(7, 3, 0)),
        (
            {
                "usage": {
                    "prompt_tokens": 7,
                    "completion_tokens": 3,
                    "prompt_tokens_details": {"cached_tokens": 5},
                }
            },
            Usage(7, 3, 5),
        ),
        (
            {"usage": {"prompt_tokens": 7, "completion_tokens": 3, "prompt_cache_hit_tokens": 4}},
            Usage(7, 3, 4),
        ),
        ({"x_groq": {"usage": {"prompt_tokens": 7, "completion_tokens": 3}}}, Usage(7, 3, 0)),
        ({"usage": {"prompt_tokens": None, "completion_tokens": "3"}}, Usage()),
        ({"usage": None}, Usage()),
    ],
)
def test_usage_wherever_it_stands(event: dict[str, Any], usage: Usage) -> None:
    assert assemble(chunk("stop", content="Hello"), event)[1].usage == usage


def test_only_the_answer_counts_as_progress() -> None:
    assembly = Assembly(tools=True)
    seen = []
    for one in [
        chunk(role="assistant", content=""),
        {"choices": []},
        chunk(content="x"),
        calls(call("c", "f", "")),
    ]:
        assembly.add(one)
        seen.append(assembly.progress())

    assert seen[0] == seen[1] == 0
    assert 0 < seen[2] < seen[3]


@pytest.mark.parametrize("message", [{"delta": "text"}, {"delta": ["x"]}])
def test_an_answer_without_a_message_is_malformed(message: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Assembly(tools=False).add({"choices": [message]})

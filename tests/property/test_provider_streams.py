"""Streams cut anywhere give the same answer: events, tags and calls."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers.assembly import Assembly
from providers.errors import ProviderError
from providers.sse import ServerEvent, SSEParser
from providers.thoughts import Section, Splitter

Cuts = st.lists(st.integers(min_value=0, max_value=400), max_size=12)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({min(cut, len(data)) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


def parse(chunks: list[bytes]) -> list[ServerEvent]:
    parser = SSEParser()
    return [event for chunk in chunks for event in parser.feed(chunk)] + parser.close()


LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)
EVENTS = st.lists(
    st.builds(
        ServerEvent,
        st.lists(LINES, min_size=1, max_size=3).map("\n".join),
        st.sampled_from(["", "error", "message"]),
    ),
    max_size=5,
)


def encoded(event: ServerEvent, newline: str, space: str, comment: str) -> str:
    lines = [f":{comment}"] if comment else []
    lines += [f"event:{space}{event.event}"] if event.event else []
    # Without the optional space, one that belongs to the data would be taken for it.
    lines += [f"data:{space or ' '}{line}" for line in event.data.split("\n")]
    return newline.join([*lines, "", ""])


@given(EVENTS, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([" ", ""]), LINES, Cuts)
def test_events_come_out_as_they_went_in_wherever_the_bytes_are_cut(
    events: list[ServerEvent], newline: str, space: str, comment: str, cuts: list[int]
) -> None:
    data = "".join(encoded(event, newline, space, comment) for event in events).encode()

    assert parse(pieces(data, cuts)) == events


@given(st.binary(max_size=200), Cuts)
def test_any_bytes_are_parsed_alike_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    assert parse(pieces(data, cuts)) == parse([data])


TEXTS = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<tool_call>", "</tool_call>", "<", "</th", " ", "\n", "a", "`", "{}"]
    ),
    max_size=12,
).map("".join)


def merged(sections: list[Section]) -> list[Section]:
    """Neighbours of one kind as one: how a text is cut into deltas is nobody's business."""
    result: list[Section] = []
    for section in sections:
        if result and result[-1].kind == section.kind and section.kind in ("text", "thought"):
            result[-1] = Section(section.kind, result[-1].text + section.text)
        else:
            result.append(section)
    return result


def split(parts: list[str], calls: bool) -> list[Section]:
    splitter = Splitter(calls=calls)
    return merged([section for part in parts for section in splitter.feed(part)] + splitter.close())


@given(TEXTS, Cuts, st.booleans())
def test_tags_are_found_wherever_the_text_is_cut(text: str, cuts: list[int], calls: bool) -> None:
    parts = [part.decode() for part in pieces(text.encode(), cuts)]

    assert split(parts, calls) == split([text], calls)


@given(TEXTS, st.booleans())
def test_nothing_is_invented_or_reordered(text: str, calls: bool) -> None:
    left = iter(text)

    assert all(character in left for section in split([text], calls) for character in section.text)


@given(st.text(st.characters(exclude_characters="<")), st.booleans())
def test_a_text_without_tags_is_left_as_it_is(text: str, calls: bool) -> None:
    assert split([text], calls) == ([Section("text", text)] if text else [])


ARGUMENTS = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.none(), max_size=4)


@given(st.lists(ARGUMENTS, min_size=1, max_size=4), Cuts, st.booleans())
def test_arguments_survive_any_fragmentation(
    calls: list[dict[str, Any]], cuts: list[int], indexed: bool
) -> None:
    assembly = Assembly(tools=True)
    for number, arguments in enumerate(calls):
        place = {"index": number} if indexed else {}
        head = {**place, "id": f"c{number}", "function": {"name": f"f{number}", "arguments": ""}}
        deltas = [head]
        text = json.dumps(arguments, ensure_ascii=True)
        deltas += [
            {**place, "function": {"arguments": part.decode()}} for part in pieces(text.encode(), cuts)
        ]
        for delta in deltas:
            assembly.add({"choices": [{"delta": {"tool_calls": [delta]}}]})
    assembly.add({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})

    _, completion = assembly.finish()

    assert [dict(call.arguments) for call in completion.message.tool_calls] == calls


KEYS = ["content", "tool_calls", "function", "arguments", "name", "index", "id", "text", "type"]
DELTA_KEYS = [*KEYS, "reasoning", "reasoning_content", "reasoning_details", "function_call"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
DELTAS = st.dictionaries(st.sampled_from(DELTA_KEYS), JSON, max_size=4) | JSON
CHOICES = st.fixed_dictionaries(
    {}, optional={"delta": DELTAS, "message": DELTAS, "finish_reason": JSON, "index": JSON}
)
CHUNKS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"choices": st.lists(CHOICES | JSON, max_size=2) | JSON, "usage": JSON, "x_groq": JSON}
    ),
    max_size=4,
)


@given(CHUNKS)
def test_no_json_whatever_raises_anything_but_an_error_of_ours(chunks: list[dict[str, Any]]) -> None:
    assembly = Assembly(tools=True)
    with contextlib.suppress(ProviderError):
        for chunk in chunks:
            assembly.add(chunk)
        assembly.finish()

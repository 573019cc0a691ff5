"""Any conversation becomes a request that each protocol's servers accept, and nothing of it is lost on the way,
however often it moves from one to the other.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers import anthropic_wire, wire
from providers.anthropic_answer import BlockAssembly
from providers.assembly import Assembly
from providers.errors import ProviderError
from providers.history import GO_ON, LOST_RESULT, repaired
from providers.plan import UNSEEN, step_for
from providers.router import Candidate
from providers.types import (
    ChatRequest,
    Completion,
    Image,
    Message,
    ModelInfo,
    Route,
    Thoughts,
    ToolCall,
    ToolDef,
)
from tests.fakes.llm import Setup, checks
from tests.fakes.llm import messages as rules
from tests.fakes.llm.peers import Want
from tests.property import wire_readers

# Conversations

WORDS = st.text("abc üß😀<>{}\"'", min_size=1, max_size=12).filter(lambda text: text.strip() == text)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
IDS = st.sampled_from(["a", "b", "call_1", "functions.look:0", "", "Ab3dE6g8i"])
ARGUMENTS = st.dictionaries(TEXT, st.integers() | TEXT | st.none() | st.lists(TEXT, max_size=2), max_size=3)
CALLS = st.builds(ToolCall, IDS, st.sampled_from(["look", "clock"]), ARGUMENTS)
IMAGES = st.lists(
    st.builds(Image, st.sampled_from(["image/png", "image/jpeg"]), st.binary(min_size=1, max_size=8)),
    max_size=2,
).map(tuple)

CHAT, CLAUDE, ELSEWHERE = Route("router", "m"), Route("anthropic", "claude"), Route("other", "m")
BLOCKS: Mapping[Route, st.SearchStrategy[list[dict[str, Any]]]] = {
    CHAT: st.sampled_from(
        [
            [{"reasoning_content": "Hm."}],
            [{"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "index": 0}]}],
            [{"tool_calls": [{"index": 0, "extra_content": {"google": {"thought_signature": "s"}}}]}],
        ]
    ),
    CLAUDE: st.lists(
        st.sampled_from(
            [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"},
                {"type": "thinking", "thinking": "", "signature": "c2lnMg"},
                {"type": "redacted_thinking", "data": "secret"},
            ]
        ),
        min_size=1,
        max_size=2,
    ),
    ELSEWHERE: st.just([{"reasoning_content": "foreign"}]),
}
THOUGHTS = st.none() | st.sampled_from([CHAT, CLAUDE, ELSEWHERE]).flatmap(
    lambda route: BLOCKS[route].map(lambda blocks: Thoughts(route, tuple(blocks)))
)
STEPS = st.tuples(st.just("") | WORDS, st.lists(st.tuples(CALLS, WORDS), min_size=1, max_size=3), THOUGHTS)
TURNS = st.tuples(WORDS, IMAGES, st.lists(STEPS, max_size=3), WORDS)


def _conversation(system: str, turns: Sequence[Any], *, open_: bool) -> tuple[Message, ...]:
    """A sound one. `open_`: the last turn has no answer yet."""
    said = [Message("system", system)] if system else []
    for place, (question, images, steps, answer) in enumerate(turns):
        said.append(Message("user", question, images=images))
        for text, calls, thoughts in steps:
            # Ids that occur twice within one message belong to no sound conversation; between messages they do.
            made = [replace(call, id=f"{call.id}{n}") for n, (call, _) in enumerate(calls)]
            said.append(Message("assistant", text, tuple(made), thoughts=thoughts))
            said += [Message("tool", r, tool_call_id=c.id) for c, (_, r) in zip(made, calls, strict=True)]
        if not open_ or place < len(turns) - 1:
            said.append(Message("assistant", answer))
    return tuple(said)


SOUND = st.builds(
    _conversation, st.just("") | WORDS, st.lists(TURNS, min_size=1, max_size=3), open_=st.booleans()
)
MESSAGES = st.one_of(
    st.builds(Message, st.just("user"), TEXT, images=IMAGES),
    st.builds(Message, st.just("assistant"), TEXT, st.lists(CALLS, max_size=3).map(tuple), thoughts=THOUGHTS),
    st.builds(Message, st.just("tool"), TEXT, tool_call_id=IDS),
)
BROKEN = st.builds(
    lambda system, rest: (*system, *rest),
    st.lists(st.builds(Message, st.just("system"), TEXT), max_size=1),
    st.lists(MESSAGES, max_size=10),
)
TOOLS = st.sampled_from([(), (ToolDef("look", "Looks.", {"type": "object", "properties": {}}),)])


@dataclass(frozen=True)
class Protocol:
    route: Route
    encode: Callable[[ChatRequest], Mapping[str, Any]]
    read: Callable[[Mapping[str, Any], Route], list[Message]]

    def over(self, said: Sequence[Message], **info: Any) -> list[Message]:
        """What its server gets of a conversation."""
        candidate = Candidate(self.route, ModelInfo(self.route.model, **info), local=False)
        return self.read(self.encode(step_for(candidate, ChatRequest(tuple(said))).request), self.route)


OPENAI = Protocol(CHAT, lambda request: wire.encode("m", request), wire_readers.chat)
ANTHROPIC = Protocol(CLAUDE, lambda request: anthropic_wire.encode("m", request), wire_readers.messages)


def atoms(said: Iterable[Message]) -> Iterator[tuple[str, Any]]:
    """What a conversation says, in order, whichever messages it is divided into. Each call stands with its result."""
    results: list[tuple[list[ToolCall], int]] = []
    for message in said:
        texts = [text for text in message.content.split("\n\n") if text not in ("", GO_ON)]
        if message.role == "tool":
            calls, done = results.pop()
            assert calls[done].id == message.tool_call_id
            results.append((calls, done + 1))
            yield "call", (calls[done].name, dict(calls[done].arguments), message.content)
            continue
        yield from ((message.role, text) for text in texts)
        yield from (("image", image) for image in message.images)
        if message.tool_calls:
            results.append((list(message.tool_calls), 0))


@given(SOUND)
def test_a_conversation_arrives_whole_in_each_protocol(said: tuple[Message, ...]) -> None:
    for protocol in (OPENAI, ANTHROPIC):
        assert list(atoms(protocol.over(said))) == list(atoms(said))


@given(SOUND, st.lists(st.sampled_from([OPENAI, ANTHROPIC]), max_size=4))
def test_it_may_move_between_protocols_as_often_as_it_likes(
    said: tuple[Message, ...], moves: list[Protocol]
) -> None:
    moved: Sequence[Message] = said
    for protocol in moves:
        moved = protocol.over(moved)

    assert list(atoms(moved)) == list(atoms(said))


def thoughts(said: Iterable[Message], route: Route) -> list[tuple[Mapping[str, Any], ...]]:
    return [m.thoughts.blocks for m in said if m.thoughts and m.thoughts.route == route]


@given(SOUND)
def test_a_model_gets_its_own_thoughts_back_unchanged_and_nobody_elses(said: tuple[Message, ...]) -> None:
    for protocol in (OPENAI, ANTHROPIC):
        assert thoughts(protocol.over(said), protocol.route) == thoughts(said, protocol.route)


@given(SOUND)
def test_a_model_that_cannot_see_reads_a_line_for_each_image(said: tuple[Message, ...]) -> None:
    pictures = sum(len(message.images) for message in said)
    for protocol in (OPENAI, ANTHROPIC):
        got = protocol.over(said, vision=False)
        assert not any(message.images for message in got)
        assert sum(message.content.count(UNSEEN) for message in got) == pictures
        shown = [(kind, text.replace(f"\n{UNSEEN}", "")) for kind, text in atoms(got) if kind != "call"]
        assert shown == [atom for atom in atoms(said) if atom[0] not in ("call", "image")]


# What is left of conversations


@given(BROKEN, TOOLS, st.sampled_from([0, 1024]))
def test_anthropics_rules_are_kept_whatever_was_said(
    said: tuple[Message, ...], tools: tuple[ToolDef, ...], thinking: int
) -> None:
    candidate = Candidate(CLAUDE, ModelInfo("m"), local=False)
    request = step_for(candidate, ChatRequest(said, tools, temperature=0.5)).request
    body = anthropic_wire.encode("fake-1", request, thinking=thinking)

    assert list(rules.faults(body)) == []
    assert checks.refusal(Setup(), rules.as_chat(body)) is None


WANTS: tuple[Want, ...] = ("short ids", "no user after tool", "reasoning back", "call signature")
QUIRKS = {wire.SHORT_IDS, wire.WORD_AFTER_TOOLS, wire.REASONING, wire.SIGNATURE}


@given(BROKEN, TOOLS, st.booleans())
def test_chat_completions_rules_are_kept_whatever_was_said(
    said: tuple[Message, ...], tools: tuple[ToolDef, ...], picky: bool
) -> None:
    request = step_for(Candidate(CHAT, ModelInfo("m"), local=False), ChatRequest(said, tools)).request
    body = wire.encode("fake-1", request, frozenset(QUIRKS if picky else ()))

    assert checks.refusal(Setup(wants=WANTS if picky else ()), body) is None
    roles = [message["role"] for message in body["messages"]]
    assert next(role for role in roles if role != "system") == "user"
    assert roles[-1] in ("user", "tool")
    assert all(one != next_ or one == "tool" for one, next_ in pairwise(roles))


@given(BROKEN)
def test_no_image_is_lost_whatever_stands_around_it(said: tuple[Message, ...]) -> None:
    shown = [image for message in said if message.role == "user" for image in message.images]
    for protocol in (OPENAI, ANTHROPIC):
        assert [image for message in protocol.over(said) for image in message.images] == shown


@given(BROKEN)
def test_every_call_has_one_result_its_own_or_one_that_says_that_it_was_lost(
    said: tuple[Message, ...],
) -> None:
    got = repaired(said)

    calls = [call.id for message in got for call in message.tool_calls]
    assert [message.tool_call_id for message in got if message.role == "tool"] == calls
    assert len(set(calls)) == len(calls)
    results = {message.content for message in got if message.role == "tool"}
    assert results <= {message.content for message in said if message.role == "tool"} | {LOST_RESULT}
    assert [m.content for m in got if m.role != "tool"] == [m.content for m in said if m.role != "tool"]
    assert repaired(got) == got


@given(BROKEN, st.integers(min_value=0, max_value=10))
def test_ids_are_short_and_stay_the_same_while_a_conversation_grows(
    said: tuple[Message, ...], length: int
) -> None:
    def ids(messages: Sequence[Message]) -> list[str]:
        return [call.id for m in repaired(messages, short_ids=True) for call in m.tool_calls]

    assert all(re.fullmatch("[A-Za-z0-9]{9}", id_) for id_ in ids(said))
    assert ids(said)[: len(ids(said[:length]))] == ids(said[:length])


# Answers

Cuts = st.lists(st.integers(min_value=0, max_value=400), max_size=12)


def pieces(text: str, cuts: Iterable[int]) -> list[str]:
    at = sorted({min(cut, len(text)) for cut in cuts})
    return [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]


@given(st.lists(ARGUMENTS, min_size=1, max_size=4, unique_by=json.dumps), Cuts)
def test_arguments_survive_any_fragmentation(calls: list[dict[str, Any]], cuts: list[int]) -> None:
    assembly = BlockAssembly()
    for index, arguments in enumerate(calls):
        head = {"type": "tool_use", "id": f"t{index}", "name": "look", "input": {}}
        assembly.add({"type": "content_block_start", "index": index, "content_block": head})
        for piece in pieces(json.dumps(arguments), cuts):
            delta = {"type": "input_json_delta", "partial_json": piece}
            assembly.add({"type": "content_block_delta", "index": index, "delta": delta})
    completion = ended(assembly)

    assert [dict(call.arguments) for call in completion.message.tool_calls] == calls


def ended(assembly: BlockAssembly) -> Completion:
    assembly.add({"type": "message_delta", "delta": {"stop_reason": "tool_use"}})
    assembly.add({"type": "message_stop"})
    return assembly.finish()[1]


SPOKEN = st.lists(
    st.one_of(
        st.builds(lambda t: {"type": "text", "text": t}, WORDS),
        st.builds(lambda t, s: {"type": "thinking", "thinking": t, "signature": s}, TEXT, WORDS),
        st.builds(lambda d: {"type": "redacted_thinking", "data": d}, WORDS),
    ),
    min_size=1,
    max_size=5,
)


@given(SPOKEN, Cuts)
def test_thinking_comes_back_as_the_blocks_that_it_came_in(
    blocks: list[dict[str, Any]], cuts: list[int]
) -> None:
    assembly = BlockAssembly(CLAUDE)
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {"at": 1}}
    for index, block in enumerate([*blocks, call]):
        name = {"text": "text", "thinking": "thinking"}.get(str(block["type"]), "")
        begun = {**block, name: ""} | ({"signature": ""} if "signature" in block else {}) if name else block
        assembly.add({"type": "content_block_start", "index": index, "content_block": begun})
        for piece in pieces(str(block[name]), cuts) if name else ():
            assembly.add({"type": "content_block_delta", "index": index, "delta": {"type": "x", name: piece}})
        if signature := block.get("signature"):
            delta = {"type": "signature_delta", "signature": signature}
            assembly.add({"type": "content_block_delta", "index": index, "delta": delta})
    message = ended(assembly).message

    request = ChatRequest((Message("user", "look"), message, Message("tool", "x", tool_call_id="t")))
    [_, sent, _] = anthropic_wire.encode("m", request)["messages"]
    assert joined(sent["content"]) == joined([*blocks, call])


def joined(blocks: Iterable[Mapping[str, Any]]) -> list[Any]:
    """The blocks, with texts that follow each other as one."""
    found: list[Any] = []
    for block in blocks:
        if block["type"] != "text":
            found.append(dict(block))
        elif found and isinstance(found[-1], str):
            found[-1] += block["text"]
        else:
            found.append(block["text"])
    return found


DETAILS = st.lists(
    st.one_of(
        st.builds(lambda t, s: {"type": "reasoning.text", "text": t, "signature": s}, WORDS, WORDS),
        st.builds(lambda t: {"type": "reasoning.summary", "summary": t}, WORDS),
        st.builds(lambda d: {"type": "reasoning.encrypted", "data": d, "id": "r"}, WORDS),
    ),
    min_size=1,
    max_size=3,
).map(lambda details: [{**detail, "index": n} for n, detail in enumerate(details)])


@given(DETAILS, Cuts)
def test_reasoning_details_come_back_as_they_were_before_they_were_cut(
    details: list[dict[str, Any]], cuts: list[int]
) -> None:
    assembly = Assembly(tools=True, route=CHAT)
    for detail in details:
        name = str(detail["type"]).removeprefix("reasoning.").replace("encrypted", "data")
        for piece in pieces(str(detail[name]), cuts):
            part = {k: v for k, v in detail.items() if k in ("type", "index", "id")} | {name: piece}
            assembly.add({"choices": [{"delta": {"reasoning_details": [part]}}]})
        if "signature" in detail:
            assembly.add({"choices": [{"delta": {"reasoning_details": [{**detail, name: ""}]}}]})
    call = {"index": 0, "id": "c", "function": {"name": "look", "arguments": "{}"}}
    assembly.add({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]})
    message = assembly.finish()[1].message

    request = ChatRequest((Message("user", "look"), message, Message("tool", "x", tool_call_id="c")))
    assert wire.encode("m", request)["messages"][1]["reasoning_details"] == details


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
    assembly = BlockAssembly(CLAUDE)
    with contextlib.suppress(ProviderError):
        for event in events:
            assembly.add(event)
        message = assembly.finish()[1].message
        json.dumps(anthropic_wire.encode("m", ChatRequest((Message("user", "hi"), message))), default=str)

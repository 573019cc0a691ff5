"""Puts an answer of Anthropic's Messages API together from its events ("Streaming Messages"). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.anthropic_wire import THOUGHTS
from providers.calls import LONGEST_ANSWER, arguments_of, counted, settled, unique
from providers.errors import Empty, Malformed, Refused, TooLong
from providers.types import (
    Completion,
    Finish,
    Message,
    ReasoningDelta,
    Route,
    TextDelta,
    Thoughts,
    ToolCall,
    Usage,
)

Delta = TextDelta | ReasoningDelta

_FINISH: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "filtered",
}
_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


@dataclass(slots=True)
class _Call:
    """A tool call that is still arriving."""

    id: str
    name: str
    input: object
    pieces: list[str] = field(default_factory=list)


class BlockAssembly:
    """See `providers.answer.Assembling`. An answer is whole when `message_stop` has come.

    `route` is who answers, and gets its thoughts back; None: they are not kept.
    """

    def __init__(self, route: Route | None = None) -> None:
        self.finish_reason = ""
        self._stop_reason = ""
        self._text: list[str] = []
        self._thoughts = 0
        self._route = route
        self._kept: list[tuple[int, dict[str, Any]]] = []  # with how many pieces of text stood before it
        self._open: dict[int, dict[str, Any]] = {}
        self._reasoning_tokens = 0
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._counts: dict[str, int] = {}
        self._size = 0

    @property
    def begun(self) -> bool:
        """Whether anything of an answer has come; its mere announcement is nothing."""
        return self._size > 0 or bool(self._calls)

    @property
    def ended(self) -> bool:
        return bool(self.finish_reason)

    def progress(self) -> int:
        """Grows with everything that belongs to the answer; a `ping` leaves it as it is."""
        return self._size + len(self._calls) + len(self._stop_reason) + len(self.finish_reason)

    def add(self, event: Mapping[str, Any]) -> list[Delta]:
        """Take in one event, or the one whole answer; returns what of it can be shown. Raises `Malformed`."""
        shown: list[Delta] = []
        match event.get("type"):
            case "message_start":
                self._count(_mapping(event.get("message")).get("usage"))
            case "content_block_start":
                shown = self._block(_mapping(event.get("content_block")), event.get("index"))
            case "content_block_delta":
                shown = self._delta(_mapping(event.get("delta")), event.get("index"))
            case "message_delta":
                self._stop_reason = (
                    _string(_mapping(event.get("delta")).get("stop_reason")) or self._stop_reason
                )
                self._count(event.get("usage"))
            case "message_stop":
                self.finish_reason = self._stop_reason or "end_turn"
            case "message":
                shown = self._whole(event)
        if self._size > LONGEST_ANSWER:
            raise Malformed("its answer never ends")
        return shown

    def finish(self) -> tuple[list[Delta], Completion]:
        """Nothing more to show, and the whole answer. Raises `BadAnswer` where there is none, `Refused` and `TooLong`
        where the reason for its end says so.
        """
        calls, dropped = self._finished_calls()
        text = "".join(self._text).strip()
        self._check_end(text, calls, dropped)
        finish = settled(_FINISH.get(self.finish_reason, "stop"), calls)
        message = Message("assistant", text, tuple(unique(calls)), thoughts=self._to_give_back())
        return [], Completion(message, finish, self._usage(), dropped)

    def _to_give_back(self) -> Thoughts | None:
        """The thoughts as they came, and what was said between two of them."""
        blocks: list[dict[str, Any]] = []
        begun = 0
        for position, thought in self._kept:
            if position > begun:
                blocks.append({"type": "text", "text": "".join(self._text[begun:position])})
            begun = position
            blocks.append(thought)
        return Thoughts(self._route, tuple(blocks)) if self._route and blocks else None

    def _check_end(self, text: str, calls: Sequence[ToolCall], dropped: int) -> None:
        if text or calls:
            return
        if self.finish_reason == "refusal":
            raise Refused("its content filter stopped the answer")
        if self.finish_reason == "model_context_window_exceeded":
            raise TooLong("its window was full before the answer began")
        if dropped and self.finish_reason != "max_tokens":
            raise Malformed("its tool call can't be read")
        if not dropped:
            raise Empty("it only thought" if self._thoughts else "")

    def _whole(self, message: Mapping[str, Any]) -> list[Delta]:
        blocks = message.get("content")
        shown: list[Delta] = []
        for block in blocks if isinstance(blocks, list) else ():
            shown += self._block(_mapping(block), None)
        self._count(message.get("usage"))
        self.finish_reason = _string(message.get("stop_reason")) or "end_turn"
        return shown

    def _block(self, block: Mapping[str, Any], index: object) -> list[Delta]:
        if block.get("type") == "tool_use":
            call = _Call(_string(block.get("id")), _string(block.get("name")), block.get("input"))
            self._calls.append(call)
            if isinstance(index, int):
                self._by_index[index] = call
        if block.get("type") in THOUGHTS:
            kept = dict(block)
            self._kept.append((len(self._text), kept))
            if isinstance(index, int):
                self._open[index] = kept
        self._size += len(_string(block.get("data")))  # a thought that is kept secret
        return self._shown(block.get("text"), block.get("thinking"))

    def _delta(self, delta: Mapping[str, Any], index: object) -> list[Delta]:
        piece = _string(delta.get("partial_json"))
        self._size += len(piece) + len(_string(delta.get("signature")))
        if isinstance(index, int) and (thought := self._open.get(index)) is not None:
            for name in ("thinking", "signature"):
                thought[name] = _string(thought.get(name)) + _string(delta.get(name))
        call = self._by_index.get(index) if isinstance(index, int) else None
        if call is not None:
            call.pieces.append(piece)
        return self._shown(delta.get("text"), delta.get("thinking"))

    def _shown(self, text: object, thought: object) -> list[Delta]:
        text, thought = _string(text), _string(thought)
        self._size += len(text) + len(thought)
        self._thoughts += len(thought)
        shown: list[Delta] = [ReasoningDelta(thought)] if thought else []
        text = text if self._text else text.lstrip()
        if text:
            self._text.append(text)
            shown.append(TextDelta(text))
        return shown

    def _finished_calls(self) -> tuple[list[ToolCall], int]:
        """Every call that is whole, and how many are not. What was refused in the end is not to be done."""
        whole: list[ToolCall] = []
        for position, call in enumerate(self._calls):
            cut = _FINISH.get(self.finish_reason) == "length" and position == len(self._calls) - 1
            text = "".join(call.pieces)
            given = call.input if isinstance(call.input, dict) and call.input and not text else None
            arguments = given if given is not None else arguments_of(text, cut=cut)
            if call.name and arguments is not None and self.finish_reason != "refusal":
                whole.append(ToolCall(call.id, call.name, arguments))
        return whole, len(self._calls) - len(whole)

    def _count(self, usage: object) -> None:
        """The newest count of each kind: they are totals, and later events repeat only some."""
        for name, value in _mapping(usage).items():
            if name in _COUNTS and isinstance(value, int | float):
                self._counts[name] = counted(value)
        details = _mapping(_mapping(usage).get("output_tokens_details"))
        self._reasoning_tokens = counted(details.get("thinking_tokens")) or self._reasoning_tokens

    def _usage(self) -> Usage:
        fresh, read, written, answer = (self._counts.get(name, 0) for name in _COUNTS)
        return Usage(fresh + read + written, answer, read, self._reasoning_tokens, None, written)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""

"""Puts an answer of OpenAI's chat protocol together from its pieces. Pure.

Servers differ in most details that the protocol has; what is tolerated here was seen on at least one of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.calls import LONGEST_ANSWER, arguments_of, settled, unique
from providers.errors import Empty, Malformed, Overloaded, Refused, ServerError
from providers.replay import Kept
from providers.thoughts import Section, Splitter
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
from providers.usage import usage_of

_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filtered",
    "sensitive": "filtered",
}


@dataclass(slots=True)
class _Call:
    """A tool call that is still arriving."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    whole: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] | None = None
    made: ToolCall | None = None


class Assembly:
    """Puts one answer together. `add` each JSON object of the stream (or the one whole answer), then
    `finish`.

    `tools` says whether tools were offered, so that calls written into the text are recognised. `route` is who
    answers, and gets back what it wants back; None: nothing is kept for that.
    """

    def __init__(self, *, tools: bool, route: Route | None = None) -> None:
        self.finish_reason = ""
        self._splitter = Splitter(calls=tools)
        self._text: list[str] = []
        self._thoughts = 0
        self._written_calls: list[Section] = []
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._usage = Usage()
        self._size = 0
        self._route = route
        self._kept = Kept()

    @property
    def begun(self) -> bool:
        """Whether anything of an answer has come."""
        return self._size > 0 or bool(self._calls)

    @property
    def ended(self) -> bool:
        """Never: what ends this protocol's stream is no JSON object."""
        return False

    def add(self, event: Mapping[str, Any]) -> list[TextDelta | ReasoningDelta]:
        """Take in one object; returns what of it can be shown. Raises `Malformed` where it makes no sense."""
        self._count(event)
        choices = event.get("choices")
        if not isinstance(choices, Sequence) or not choices:
            return []
        choice = choices[0]
        if not isinstance(choice, Mapping) or choice.get("index", 0) not in (0, None):
            return []
        piece = choice.get("delta") or choice.get("message") or {}
        if not isinstance(piece, Mapping):
            raise Malformed("its answer has no message")
        self._size += self._kept.add(piece)
        shown = self._thinking(piece)
        content = piece.get("content")
        if content:
            shown += self._content(content)
        self._tool_calls(piece)
        if reason := choice.get("finish_reason"):
            self.finish_reason = str(reason)
        if self._size > LONGEST_ANSWER:
            raise Malformed("its answer never ends")
        return shown

    def progress(self) -> int:
        """Grows with everything that belongs to the answer; a heartbeat leaves it as it is."""
        return self._size + len(self._calls) + len(self.finish_reason)

    def finish(self) -> tuple[list[TextDelta | ReasoningDelta], Completion]:
        """The last deltas and the whole answer. Raises `BadAnswer` where there is none, `Refused` and
        `ServerError` where the reason for its end says so.
        """
        shown = self._sections(self._splitter.close())
        calls, dropped = self._finished_calls()
        text = "".join(self._text)
        text = (text if self._thoughts else self._splitter.answer(text)).strip()
        for section in self._written_calls if not self._calls else ():
            call = _written(section.text)
            if call is not None:
                calls.append(call)
            elif section.kind == "open_call":
                dropped += 1
            else:
                text = f"{text}\n<tool_call>{section.text}</tool_call>".strip()
        self._check_end(text, calls, dropped)
        finish = settled(_FINISH.get(self.finish_reason, "stop"), calls)
        made = tuple(unique(calls))
        message = Message("assistant", text, made, thoughts=self._to_give_back(made))
        return shown, Completion(message, finish, self._usage, dropped)

    def _check_end(self, text: str, calls: Sequence[ToolCall], dropped: int) -> None:
        reason = self.finish_reason
        if reason in ("error", "network_error"):
            raise ServerError("stopped with an error")
        if reason == "insufficient_system_resource":
            raise Overloaded("stopped for want of resources")
        if text or calls:
            return
        if _FINISH.get(reason) == "filtered":
            raise Refused("its content filter stopped the answer")
        if dropped and reason != "length":
            raise Malformed("its tool call can't be read")
        if not dropped:
            raise Empty("it only thought" if self._thoughts else "")

    # Text and thoughts

    def _thinking(self, piece: Mapping[str, Any]) -> list[TextDelta | ReasoningDelta]:
        thought = piece.get("reasoning_content") or piece.get("reasoning")
        if not thought and isinstance(details := piece.get("reasoning_details"), Sequence):
            thought = "".join(
                str(d.get("text") or d.get("summary") or "") for d in details if isinstance(d, Mapping)
            )
        if not isinstance(thought, str) or not thought:
            return []
        return self._sections([Section("thought", thought)])

    def _content(self, content: object) -> list[TextDelta | ReasoningDelta]:
        if isinstance(content, str):
            return self._sections(self._splitter.feed(content))
        # A list of typed parts, as some servers give when the model thinks.
        shown: list[TextDelta | ReasoningDelta] = []
        for part in content if isinstance(content, Sequence) else ():
            if isinstance(part, Mapping) and part.get("type") == "text":
                shown += self._sections(self._splitter.feed(str(part.get("text") or "")))
            elif isinstance(part, Mapping) and part.get("type") == "thinking":
                shown += self._sections([Section("thought", _flat(part.get("thinking")))])
        return shown

    def _sections(self, sections: Iterable[Section]) -> list[TextDelta | ReasoningDelta]:
        shown: list[TextDelta | ReasoningDelta] = []
        for section in sections:
            self._size += len(section.text)
            if section.kind == "text":
                # What stands between a thought and the answer is not part of either.
                text = section.text if self._text else section.text.lstrip()
                if text:
                    self._text.append(text)
                    shown.append(TextDelta(text))
            elif section.kind == "thought":
                self._thoughts += len(section.text)
                shown.append(ReasoningDelta(section.text))
            else:
                self._written_calls.append(section)
        return shown

    # Tool calls

    def _tool_calls(self, piece: Mapping[str, Any]) -> None:
        deltas = piece.get("tool_calls")
        if isinstance(single := piece.get("function_call"), Mapping):
            deltas = [{"index": 0, "function": single}]
        if not isinstance(deltas, Sequence):
            return
        for delta in deltas:
            if isinstance(delta, Mapping):
                self._tool_call(delta)

    def _tool_call(self, delta: Mapping[str, Any]) -> None:
        function = delta.get("function")
        function = function if isinstance(function, Mapping) else {}
        call = self._open_call(delta, str(function.get("name") or ""))
        if isinstance(extra := delta.get("extra_content"), Mapping):
            call.extra = extra
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping):
            call.whole = arguments
            self._size += 1
        elif isinstance(arguments, str):
            call.arguments.append(arguments)
            self._size += len(arguments)

    def _open_call(self, delta: Mapping[str, Any], name: str) -> _Call:
        """The call that a delta belongs to: by its index, else a new id begins a new one, else the last one
        goes on.
        """
        index, id_ = delta.get("index"), str(delta.get("id") or "")
        call = (
            self._by_index.get(index)
            if isinstance(index, int)
            else (self._calls[-1] if self._calls else None)
        )
        if call is not None and id_ and call.id and id_ != call.id and (name or not isinstance(index, int)):
            call = None  # some servers number every call 0
        if call is None:
            call = _Call()
            self._calls.append(call)
            if isinstance(index, int):
                self._by_index[index] = call
        call.id = call.id or id_
        call.name = call.name or name
        return call

    def _finished_calls(self) -> tuple[list[ToolCall], int]:
        """Every call that is whole, and how many are not."""
        whole: list[ToolCall] = []
        for position, call in enumerate(self._calls):
            text = "".join(call.arguments)
            cut = self.finish_reason in ("length", "model_length") and position == len(self._calls) - 1
            arguments = call.whole if call.whole is not None else arguments_of(text, cut=cut)
            if call.name and arguments is not None:
                call.made = ToolCall(call.id, call.name, arguments)
                whole.append(call.made)
        return whole, len(self._calls) - len(whole)

    def _to_give_back(self, made: Sequence[ToolCall]) -> Thoughts | None:
        if self._route is None:
            return None
        blocks = self._kept.blocks([self._extra(call) for call in made])
        return Thoughts(self._route, blocks) if blocks else None

    def _extra(self, call: ToolCall) -> Mapping[str, Any] | None:
        """What came with a call, whose id may be another one by now."""
        came = (c for c in self._calls if c.made and c.made.name == call.name)
        return next((c.extra for c in came if c.made and c.made.arguments == call.arguments), None)

    def _count(self, event: Mapping[str, Any]) -> None:
        groq = event.get("x_groq")
        usage = event.get("usage") or (groq.get("usage") if isinstance(groq, Mapping) else None)
        if isinstance(usage, Mapping):
            self._usage = usage_of(usage)


def _written(text: str) -> ToolCall | None:
    """The call that a model wrote into its text as `{"name": ..., "arguments": {...}}`, if it is one."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = arguments_of(arguments, cut=False)
    return ToolCall("", value["name"], arguments) if isinstance(arguments, dict) else None


def _flat(value: object) -> str:
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, Sequence) else ()
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))

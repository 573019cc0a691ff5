"""Replies in the wire format of chat completions: a stream's deltas and chunks, or one whole answer. Pure."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.fakes.llm.peers import Kind
from tests.fakes.llm.replies import CallStyle, Reply, ToolCall


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reply depends on besides the script: the request, and who answers it when and as which one."""

    body: dict[str, Any]
    kind: Kind
    number: int
    created: int
    messages: bool = False
    """In Anthropic's Messages API instead of chat completions."""

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def include_usage(self) -> bool:
        return bool((self.body.get("stream_options") or {}).get("include_usage"))


def dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def deltas(reply: Reply, asked: Asked) -> list[dict[str, Any]]:
    """What a stream adds, in order: thought, text, calls. The opening role chunk isn't among them."""
    thought = [_thought(reply, part) for part in pieces(reply.reasoning, 2)]
    if thought and reply.reasoning_as == "reasoning_details":
        signed = {"type": "reasoning.text", "signature": reply.signature, "index": 0}
        thought.append({"reasoning_details": [signed]})
    given = reply.text
    parts = list(given) if isinstance(given, tuple) else pieces(given or "", reply.pace.chunks)
    calls = [
        list(_call_deltas(index, call_id(reply, asked, index), call, reply.calls_as))
        for index, call in enumerate(reply.calls)
    ]
    ordered = _by_turns(calls) if reply.calls_as.interleaved else itertools.chain(*calls)
    return [*thought, *({"content": part} for part in parts), *({"tool_calls": [call]} for call in ordered)]


def chunk(
    reply: Reply, asked: Asked, delta: dict[str, Any] | None, finish: str | None = None
) -> dict[str, Any]:
    """One chunk of a stream; `delta` None leaves the choices empty, as the usage chunk has it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion.chunk",
        "created": asked.created,
        "model": _model(asked),
        "choices": [] if delta is None or not reply.choices else [choice],
        **({"usage": None} if asked.kind == "openai" and asked.include_usage else {}),
        **reply.extra,
    }


def opening(reply: Reply, asked: Asked) -> dict[str, Any]:
    content = None if asked.kind == "llama-server" or reply.text is None else ""
    return chunk(reply, asked, {"role": "assistant", "content": content})


def closing(reply: Reply, asked: Asked) -> Iterator[dict[str, Any]]:
    """The finish reason and, where wanted, the usage."""
    yield chunk(reply, asked, {}, finish(reply))
    if reply.usage is not False and (reply.usage or asked.include_usage or asked.kind == "openrouter"):
        yield chunk(reply, asked, None) | {"usage": usage(reply, asked)} | _timings(asked)


def completion(reply: Reply, asked: Asked) -> dict[str, Any]:
    """The whole answer as one JSON object."""
    text = "".join(reply.text) if isinstance(reply.text, tuple) else reply.text
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reply.reasoning:
        message |= _thought(reply, reply.reasoning)
    if reply.calls:
        if asked.kind == "llama-server":
            message["content"] = text or ""
        message["tool_calls"] = [
            _call(call_id(reply, asked, index), call.name, _arguments(call, reply.calls_as)) | _extra(call)
            for index, call in enumerate(reply.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish(reply)}
    whole: dict[str, Any] = {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion",
        "created": asked.created,
        "model": _model(asked),
        "choices": [choice] if reply.choices else [],
    }
    if reply.usage is not False:
        whole["usage"] = usage(reply, asked)
    return whole | _timings(asked) | reply.extra


def finish(reply: Reply) -> str:
    return reply.finish or ("tool_calls" if reply.calls else "stop")


def usage(reply: Reply, asked: Asked) -> dict[str, Any]:
    """Counted at four characters a token, as good as any guess."""
    if isinstance(reply.usage, dict):
        return reply.usage
    text = "".join(reply.text) if isinstance(reply.text, tuple) else reply.text or ""
    said = len(text) + len(reply.reasoning) + sum(len(dumps(call.arguments)) for call in reply.calls)
    prompt, answer = count(asked.body), max(1, said // 4)
    details = {"cached_tokens": 0}
    counts = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    return counts | {"prompt_tokens_details": details}


def count(body: dict[str, Any]) -> int:
    """A guess at the prompt's tokens."""
    return max(1, len(dumps([body.get("messages"), body.get("tools")])) // 4)


def call_id(reply: Reply, asked: Asked, index: int) -> str:
    if reply.calls_as.same_id:
        index = 0
    given = reply.calls[index].id
    if given is not None:
        return given
    letters = hashlib.blake2b(f"{asked.number}.{index}".encode(), digest_size=16).hexdigest()
    return letters if asked.kind == "llama-server" else f"call_{letters[:24]}"


def pieces(text: str, count: int) -> list[str]:
    """`text` in at most `count` parts of about one length; none of nothing."""
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _model(asked: Asked) -> str:
    return str(asked.body.get("model", "")) or "default"


def _timings(asked: Asked) -> dict[str, Any]:
    if asked.kind != "llama-server":
        return {}
    return {
        "timings": {"cache_n": 0, "prompt_n": count(asked.body), "prompt_ms": 12.5, "predicted_ms": 40.25}
    }


def _thought(reply: Reply, text: str) -> dict[str, Any]:
    if reply.reasoning_as == "reasoning_details":
        detail = {"type": "reasoning.text", "text": text, "format": "anthropic-claude-v1", "index": 0}
        return {"reasoning_details": [detail]}
    return {reply.reasoning_as: text}


def _arguments(call: ToolCall, style: CallStyle) -> dict[str, Any] | str:
    if isinstance(call.arguments, str) or style.as_object:
        return call.arguments
    return dumps(call.arguments)


def _call(id_: str, name: str, arguments: dict[str, Any] | str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def _extra(call: ToolCall) -> dict[str, Any]:
    return {"extra_content": call.extra} if call.extra else {}


def _call_deltas(index: int, id_: str, call: ToolCall, style: CallStyle) -> Iterator[dict[str, Any]]:
    place = {"index": index} if style.index else {}
    arguments = _arguments(call, style)
    if isinstance(arguments, dict) or not style.fragments:
        yield place | _call(id_, call.name, arguments) | _extra(call)
        return
    yield place | _call(id_, call.name, "") | _extra(call)
    for part in pieces(arguments, style.fragments):
        if style.repeat_head:
            yield place | _call(id_, call.name, part)
        elif style.empty_name:
            yield place | {"function": {"name": "", "arguments": part}}
        else:
            yield place | {"function": {"arguments": part}}


def _by_turns(calls: list[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for turn in itertools.zip_longest(*calls):
        yield from (delta for delta in turn if delta is not None)

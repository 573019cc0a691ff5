"""What a model of OpenAI's chat protocol wants back with its calls of tools: kept as it comes, given back as it was.

`reasoning_content` (DeepSeek, Zhipu, llama.cpp's server), `reasoning_details` (OpenRouter: "Preserving reasoning
blocks") and the `extra_content` of calls (Gemini: "Thought signatures"). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NO_SIGNATURE = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""What Google's documentation wants with a call that another model made."""

_JOINED = ("text", "summary", "data")
"""Fields of a detail that come in pieces."""


class Kept:
    """Collects from the pieces of one answer."""

    def __init__(self) -> None:
        self._reasoning: list[str] = []
        self._details: list[dict[str, Any]] = []

    def add(self, piece: Mapping[str, Any]) -> int:
        """Take in one delta, or the whole message; returns how many characters of it no reader sees."""
        reasoning, details = piece.get("reasoning_content"), piece.get("reasoning_details")
        if isinstance(reasoning, str):
            self._reasoning.append(reasoning)
        unseen = 0
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, Mapping):
                unseen += sum(len(str(detail.get(name) or "")) for name in ("data", "signature"))
                self._detail(detail)
        return unseen

    def blocks(self, extras: Sequence[Mapping[str, Any] | None]) -> tuple[Mapping[str, Any], ...]:
        """See `Thoughts.blocks`; `extras` are the answer's calls' extra contents, in the order of the calls."""
        found: list[Mapping[str, Any]] = []
        if self._details:
            found.append({"reasoning_details": self._details})
        elif reasoning := "".join(self._reasoning):
            found.append({"reasoning_content": reasoning})
        calls = [{"index": n, "extra_content": dict(extra)} for n, extra in enumerate(extras) if extra]
        return (*found, {"tool_calls": calls}) if calls else tuple(found)

    def _detail(self, detail: Mapping[str, Any]) -> None:
        """Begin a detail, or go on with the last one, of which a stream sends pieces."""
        last = self._details[-1] if self._details else None
        if last is None or any(detail.get(name) != last.get(name) for name in ("index", "type")):
            self._details.append(dict(detail))
            return
        for name, value in detail.items():
            if name in _JOINED and isinstance(value, str):
                last[name] = str(last.get(name) or "") + value
            elif value is not None:
                last[name] = value


def give_back(message: dict[str, Any], blocks: Iterable[Mapping[str, Any]]) -> None:
    """Put what was kept into an encoded message of the assistant; what is of another protocol stays out."""
    calls = message["tool_calls"]
    for block in blocks:
        message |= {name: block[name] for name in ("reasoning_content", "reasoning_details") if name in block}
        extras = block.get("tool_calls")
        for extra in extras if isinstance(extras, list) else ():
            if 0 <= extra["index"] < len(calls):
                calls[extra["index"]]["extra_content"] = extra["extra_content"]

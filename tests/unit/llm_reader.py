"""Reads what the fake LLM sends with nothing but httpx, and keeps it as it came."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.fakes.llm import LLMFake

QUESTION: dict[str, Any] = {"model": "fake-1", "messages": [{"role": "user", "content": "Hello?"}]}
STREAM: dict[str, Any] = QUESTION | {"stream": True}


@dataclass
class Seen:
    """One answer: status, raw body, and what its stream's events add up to."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = b""
    failure: str = ""
    """The httpx error that ended it."""
    comments: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    unreadable: int = 0
    done: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [choice["delta"] for event in self.events for choice in event.get("choices", [])]

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [call for delta in self.deltas for call in delta.get("tool_calls") or []]

    @property
    def finish(self) -> str | None:
        reasons = [choice["finish_reason"] for event in self.events for choice in event.get("choices", [])]
        return next((reason for reason in reasons if reason), None)

    @property
    def errors(self) -> list[Any]:
        return [event["error"] for event in self.events if "error" in event]


async def ask(llm: LLMFake, body: dict[str, Any] = STREAM, **options: Any) -> Seen:
    """Send a request for chat and read the answer to its end, however it ends."""
    options = {"timeout": 5.0, "trust_env": False, **options}
    seen = Seen()
    try:
        async with (
            httpx.AsyncClient(**options) as client,
            client.stream("POST", f"{llm.base_url}/chat/completions", json=body) as answer,
        ):
            seen.status, seen.headers = answer.status_code, answer.headers
            async for piece in answer.aiter_bytes():
                seen.body += piece
    except httpx.HTTPError as error:
        seen.failure = type(error).__name__
    if "event-stream" in seen.headers.get("content-type", ""):
        _parse(seen)
    return seen


def _parse(seen: Seen) -> None:
    for block in seen.body.decode(errors="replace").replace("\r\n", "\n").split("\n\n"):
        lines = block.split("\n")
        seen.comments += sum(line.startswith(":") for line in lines)
        data = "\n".join(line.removeprefix("data:").strip() for line in lines if line.startswith("data:"))
        if data == "[DONE]":
            seen.done = True
        elif data:
            try:
                seen.events.append(json.loads(data))
            except ValueError:
                seen.unreadable += 1

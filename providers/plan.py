"""In which order a request visits its candidates, and in which form each one gets it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from providers.router import Candidate
from providers.tokens import estimate_tokens
from providers.types import ChatRequest, Message, ModelInfo, Route

USUAL_ANSWER = 256
"""Tokens kept free for the answer where the request sets no limit."""
UNSEEN = "[An image, which you can't see.]"
"""Stands for an image in what a model gets that takes none."""


@dataclass(frozen=True, slots=True)
class Step:
    """One candidate and the request as it gets it. `shortage` says how its window is too small; "" if it
    isn't. `key` is which of its provider's keys is used, `instead_of` the model that this one stands in for.
    """

    candidate: Candidate
    request: ChatRequest
    shortage: str = ""
    key: int = 0
    instead_of: Route | None = None

    def with_(self, candidate: Candidate, request: ChatRequest) -> Step:
        """The same step with what is known of its model by now; `request` is the caller's own."""
        fresh = step_for(candidate, request)
        return replace(fresh, key=self.key, instead_of=self.instead_of)


def plan(candidates: Iterable[Candidate], request: ChatRequest) -> list[Step]:
    """The candidates in order; those known to lack the tools that the request offers come last. Where it holds
    images, those known to see come first.
    """
    measured: dict[tuple[int, int], int] = {}
    steps = [step_for(candidate, request, measured) for candidate in candidates]
    images = any(message.images for message in request.messages)

    def rank(step: Step) -> tuple[bool, int]:
        blind = {True: 0, None: 1, False: 2}[step.candidate.info.vision] if images else 0
        return bool(request.tools) and not step.request.tools, blind

    return sorted(steps, key=rank)


def step_for(
    candidate: Candidate, request: ChatRequest, measured: dict[tuple[int, int], int] | None = None
) -> Step:
    """The request as one model can take it: a tiny one gets the brief, one without tools a plain conversation, one
    that can't see a line in the place of each image; and other models' thoughts are left out.

    `measured` holds the tokens of conversations that several candidates get, while these are at hand.
    """
    info = candidate.info
    request = replace(request, thinks=bool(info.thinks))
    if info.tiny:
        request = replace(request, messages=request.brief or request.messages, tools=(), brief=())
    if info.tools is False or info.tiny:
        request = without_tools(request)
    if any(m.thoughts or m.images for m in request.messages):
        blind = info.vision is False or info.tiny
        messages = tuple(_suited(m, candidate.route, blind=blind) for m in request.messages)
        request = replace(request, messages=messages)
    return Step(candidate, request, _shortage(info, request, {} if measured is None else measured))


def _suited(message: Message, route: Route, *, blind: bool) -> Message:
    if message.thoughts is not None and message.thoughts.route != route:
        message = replace(message, thoughts=None)
    if message.images and blind:
        lines = (message.content, *(UNSEEN for _ in message.images))
        message = replace(message, content="\n".join(filter(None, lines)), images=())
    return message


def without_tools(request: ChatRequest) -> ChatRequest:
    """The same conversation as plain text, for templates that know no tool calls."""
    if not request.tools and not any(m.tool_calls or m.role == "tool" for m in request.messages):
        return request
    return replace(request, messages=tuple(_plain(request.messages)), tools=())


def _plain(messages: Iterable[Message]) -> Iterator[Message]:
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "tool":
            name = names.get(message.tool_call_id, "a tool")
            yield Message("user", f"[Result of {name}]\n{message.content}")
        elif message.tool_calls:
            names.update((call.id, call.name) for call in message.tool_calls)
            calls = (
                f"[Used {c.name} with {json.dumps(c.arguments, default=str)}]" for c in message.tool_calls
            )
            yield Message("assistant", "\n".join(filter(None, (message.content, *calls))))
        else:
            yield message


def _shortage(info: ModelInfo, request: ChatRequest, measured: dict[tuple[int, int], int]) -> str:
    if info.context_window is None:
        return ""
    answer = min(request.max_tokens or USUAL_ANSWER, info.context_window // 4)
    same = (id(request.messages), id(request.tools))
    prompt = measured.get(same)
    if prompt is None:
        prompt = measured[same] = estimate_tokens(request.messages, request.tools)
    if prompt + answer <= info.context_window:
        return ""
    return f"its window of {info.context_window} tokens is too small for about {prompt}"

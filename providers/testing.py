"""Doubles for tests of everything that asks a model: a provider that follows a script, and a client over such
ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from providers.base import Provider, StateStore
from providers.client import ModelClient
from providers.errors import ProviderError
from providers.registry import Catalog, Registry
from providers.router import ROLES
from providers.settings import ProviderSettings
from providers.types import (
    ChatRequest,
    Completion,
    Message,
    ModelInfo,
    ProviderEvent,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
)

Answer = (
    str | ToolCall | Completion | ProviderError | Sequence["str | ToolCall | ReasoningDelta | ProviderError"]
)
"""A text; a tool call; a whole completion; an error; or pieces in order: deltas of text, calls, at last maybe
an error.
"""
Turn = Answer | Callable[[ChatRequest], Answer] | Callable[[ChatRequest], Awaitable[Answer]]


class Clock:
    """Wall-clock time that stands still until somebody sleeps, or sets `now`; `slept` holds every wait."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that a `ScriptedProvider` received."""

    model: str
    request: ChatRequest


class ScriptedProvider:
    """Answers each call with the next turn of its script; when that ends, with `after`, without which being
    asked once more is an AssertionError. `asked` holds what it received, `open_streams` how many run now.
    """

    def __init__(self, *turns: Turn, name: str = "scripted", after: Turn | None = None) -> None:
        self.name = name
        self.turns: list[Turn] = list(turns)
        self.after = after
        self.asked: list[Asked] = []
        self.open_streams = 0
        self.closed = False
        self.listed: Sequence[ModelInfo] = ()

    async def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        self.asked.append(Asked(model, request))
        turn = self.turns.pop(0) if self.turns else self.after
        if turn is None:
            raise AssertionError(f"{self.name} was asked more often than its script foresees: {request}")
        self.open_streams += 1
        try:
            answer = turn(request) if callable(turn) else turn
            if isinstance(answer, Awaitable):
                answer = await answer
            for event in _events(answer):
                yield event
        finally:
            self.open_streams -= 1

    async def models(self) -> Sequence[ModelInfo]:
        return self.listed

    async def aclose(self) -> None:
        self.closed = True


def scripted_client(
    providers: Mapping[str, Provider],
    chain: Iterable[str] = (),
    clock: Clock | None = None,
    store: StateStore | None = None,
) -> ModelClient:
    """A client over doubles, each reachable as `NAME/model` and by its own name. Every role walks `chain`, by
    default all providers in order. Waits take no time but that of `clock`.
    """
    clock = clock or Clock()
    registry = Registry(lambda name, _: providers[name])
    return ModelClient(scripted_catalog(providers, chain), registry, store, clock, clock.sleep)


def scripted_catalog(providers: Iterable[str], chain: Iterable[str] = ()) -> Catalog:
    """The catalog of `scripted_client`, to be changed by a test."""
    names = list(providers)
    order = tuple(chain) or tuple(names)
    settings = ProviderSettings(
        kind="scripted", api_base="https://scripted.invalid/v1", default_model="model"
    )
    return Catalog(
        dict.fromkeys(names, settings),
        roles=dict.fromkeys(ROLES, order[0]) if order else {},
        fallback=dict.fromkeys(ROLES, order) if order else {},
    )


def _events(answer: Answer) -> Iterable[ProviderEvent]:
    if isinstance(answer, ProviderError):
        raise answer
    if isinstance(answer, Completion):
        if answer.message.content:
            yield TextDelta(answer.message.content)
        yield answer
        return
    texts: list[str] = []
    calls: list[ToolCall] = []
    for piece in [answer] if isinstance(answer, str | ToolCall) else answer:
        if isinstance(piece, ProviderError):
            raise piece
        if isinstance(piece, ToolCall):
            calls.append(piece)
        elif isinstance(piece, ReasoningDelta):
            yield piece
        else:
            texts.append(piece)
            yield TextDelta(piece)
    message = Message("assistant", "".join(texts), tuple(calls))
    yield Completion(message, "tool_calls" if calls else "stop", Usage(10, len(texts) + len(calls)))

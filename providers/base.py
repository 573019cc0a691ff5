"""The seam between the router and a provider: one method that streams, one that lists models."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from providers.quota import FreeCalls
from providers.settings import ProviderSettings
from providers.sound import Heard, Recording, Spoken, Utterance
from providers.types import ChatRequest, ModelInfo, ProviderEvent


class Provider(Protocol):
    """One configured endpoint with one credential and one connection pool."""

    name: str

    def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Ask `model` once. Yields deltas, then exactly one `Completion` as the last event.

        Raises a `ProviderError`; no error of a library leaks. Closing the generator closes the connection.
        """
        ...

    async def models(self) -> Sequence[ModelInfo]:
        """The models that this endpoint lists, with what it says of them. Raises `ProviderError`."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class CountsFreeCalls(Protocol):
    """What a provider may do besides: tell how many free calls its account has made today."""

    async def free_calls(self) -> FreeCalls | None:
        """As its server counts them; None where it doesn't. Spends nothing. Raises `ProviderError`."""
        ...


@runtime_checkable
class Transcribes(Protocol):
    """What a provider may do besides: write down what is said."""

    async def transcribe(self, model: str, recording: Recording) -> Heard:
        """Ask `model` once. Raises a `ProviderError`; no error of a library leaks."""
        ...


@runtime_checkable
class Speaks(Protocol):
    """What a provider may do besides: say what is written."""

    async def speak(self, model: str, utterance: Utterance) -> Spoken:
        """Ask `model` once. Raises a `ProviderError`; no error of a library leaks."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """What an adapter module exports as `SPEC`: its kind and how to make a `Provider` from (name, settings)."""

    kind: str
    create: Callable[[str, ProviderSettings], Provider]


class StateStore(Protocol):
    """Where rests and breakers outlive a restart; implemented by the bot. Values are JSON objects keyed by
    scope.
    """

    async def load(self) -> Mapping[str, Mapping[str, Any]]: ...

    async def save(self, scope: str, state: Mapping[str, Any]) -> None: ...

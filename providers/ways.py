"""What can be asked of a provider in one call: an answer in a conversation, speech written down, a text spoken.

All of them are walked alike (`providers.walk`): a way says which providers can be asked at all, and how one is. Its
events end in a completion, whose message is "" where what came is no text; the way itself then holds it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from providers.base import Provider, Speaks, Transcribes
from providers.errors import NotSupported
from providers.sound import Heard, Recording, Spoken, Utterance
from providers.types import ChatRequest, Completion, Message, ProviderEvent, Usage


class Way(Protocol):
    def can(self, provider: Provider) -> bool:
        """Whether such a provider can be asked for this."""
        ...

    def ask(
        self, provider: Provider, model: str, request: ChatRequest
    ) -> AsyncGenerator[ProviderEvent, None]:
        """Ask once, as `Provider.stream` does."""
        ...


class Chat:
    def can(self, _provider: Provider) -> bool:
        return True

    def ask(
        self, provider: Provider, model: str, request: ChatRequest
    ) -> AsyncGenerator[ProviderEvent, None]:
        return provider.stream(model, request)


class Hearing:
    """`heard` is what the provider that answered heard."""

    def __init__(self, recording: Recording) -> None:
        self.heard = Heard("")
        self._recording = recording

    def can(self, provider: Provider) -> bool:
        return isinstance(provider, Transcribes)

    async def ask(
        self, provider: Provider, model: str, _request: ChatRequest
    ) -> AsyncGenerator[ProviderEvent, None]:
        if not isinstance(provider, Transcribes):
            raise NotSupported("doesn't write speech down")
        self.heard = await provider.transcribe(model, self._recording)
        message = Message("assistant", self.heard.text)
        yield Completion(message, "stop", self.heard.usage, limits=self.heard.limits)


class Speaking:
    """`spoken` is what the provider that answered said."""

    def __init__(self, utterance: Utterance) -> None:
        self.spoken = Spoken(b"", "")
        self._utterance = utterance

    def can(self, provider: Provider) -> bool:
        return isinstance(provider, Speaks)

    async def ask(
        self, provider: Provider, model: str, _request: ChatRequest
    ) -> AsyncGenerator[ProviderEvent, None]:
        if not isinstance(provider, Speaks):
            raise NotSupported("doesn't speak")
        self.spoken = await provider.speak(model, self._utterance)
        usage = Usage(seconds=self._utterance.seconds)
        yield Completion(Message("assistant"), "stop", usage, limits=self.spoken.limits)

"""The built-in starter model, served on loopback by a process that is started when first asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from providers import starter
from providers.base import ProviderSpec
from providers.errors import UnknownModel
from providers.llama_process import LlamaProcess
from providers.own_server import OwnServer
from providers.settings import ProviderSettings
from providers.types import ChatRequest, ModelInfo, ProviderEvent


class StarterProvider:
    """See `providers.base.Provider`. Starts nothing before the first question."""

    def __init__(self, name: str, settings: ProviderSettings, process: LlamaProcess | None = None) -> None:
        self.name = name
        self._own = OwnServer(name, settings, process or LlamaProcess(starter.command, "the built-in model"))

    async def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Ask it, whatever has to be started for that. Its own sampling stands in for the request's."""
        if model != starter.MODEL:
            raise UnknownModel(f"the built-in model is called {starter.MODEL}")
        server = await self._own.running()
        longest = min(request.max_tokens or starter.LONGEST_ANSWER, starter.LONGEST_ANSWER)
        request = replace(request, temperature=None, max_tokens=longest)
        async with aclosing(server.stream(model, request)) as events:
            async for event in events:
                yield event

    async def models(self) -> Sequence[ModelInfo]:
        return (starter.INFO,)

    async def aclose(self) -> None:
        """Close the connections and end the process. May be called twice."""
        await self._own.aclose()


SPEC = ProviderSpec("starter", StarterProvider)

"""The built-in starter model, served on loopback by a process that is started when first asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from pydantic import SecretStr

from providers import starter
from providers.base import ProviderSpec
from providers.errors import UnknownModel
from providers.openai import OpenAIProvider
from providers.settings import ProviderSettings
from providers.starter_process import Endpoint, StarterProcess
from providers.types import ChatRequest, ModelInfo, ProviderEvent


class StarterProvider:
    """See `providers.base.Provider`. Starts nothing before the first question."""

    def __init__(self, name: str, settings: ProviderSettings, process: StarterProcess | None = None) -> None:
        self.name = name
        self._settings = settings
        self._process = process or StarterProcess()
        self._endpoint: Endpoint | None = None
        self._server: OpenAIProvider | None = None

    async def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Ask it, whatever has to be started for that. Its own sampling stands in for the request's."""
        if model != starter.MODEL:
            raise UnknownModel(f"the built-in model is called {starter.MODEL}")
        server = await self._running()
        longest = min(request.max_tokens or starter.LONGEST_ANSWER, starter.LONGEST_ANSWER)
        request = replace(request, temperature=None, max_tokens=longest)
        async with aclosing(server.stream(model, request)) as events:
            async for event in events:
                yield event

    async def models(self) -> Sequence[ModelInfo]:
        return (starter.INFO,)

    async def aclose(self) -> None:
        """Close the connections and end the process. May be called twice."""
        await self._process.aclose()
        if self._server is not None:
            await self._server.aclose()

    async def _running(self) -> OpenAIProvider:
        endpoint = await self._process.start()
        if self._server is not None and endpoint == self._endpoint:
            return self._server
        previous = self._server
        access = {"api_base": endpoint.base_url, "api_key": SecretStr(endpoint.api_key)}
        self._server = server = OpenAIProvider(self.name, self._settings.model_copy(update=access))
        self._endpoint = endpoint
        if previous is not None:
            await previous.aclose()
        return server


SPEC = ProviderSpec("starter", StarterProvider)

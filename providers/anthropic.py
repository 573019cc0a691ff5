"""Any server that speaks Anthropic's Messages API. The format is `providers.anthropic_wire`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence

import httpx

from providers import local
from providers.anthropic_answer import BlockAssembly
from providers.anthropic_wire import encode
from providers.endpoint import Endpoint
from providers.presets import is_local
from providers.settings import ProviderSettings
from providers.types import ChatRequest, ModelInfo, ProviderEvent, Route

VERSION = "2023-06-01"
"""The protocol's version, a header that the API wants."""


class AnthropicProvider:
    """`settings` are completed (`providers.presets.complete`); `api_base` may end in `/v1` or not. `transport`
    replaces the network, `clock` is wall-clock time.
    """

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._models = settings.model_info
        self._names = settings.names
        self._base = f"{local.root_of(settings.api_base or '')}/v1"
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        auth = {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}
        self._endpoint = Endpoint(settings, transport, clock, auth)

    def stream(self, model: str, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        """See `providers.base.Provider`. `ping` events don't move the limits on the first and the next token."""
        told = self._models.get(model)
        thinking = (told.thinking_tokens or 0) if told else 0
        return self._endpoint.stream(
            f"{self._base}/messages",
            model,
            lambda quirks: encode(model, request, quirks, thinking=thinking),
            BlockAssembly(Route(self.name, model)),
            thinks=request.thinks or thinking > 0,
        )

    async def models(self) -> Sequence[ModelInfo]:
        """What the endpoint lists; a local server is asked for windows and tool support too."""
        if not is_local(self._base):
            return local.parse_models(await self._endpoint.json(f"{self._base}/models?limit=1000"))
        listed = await self._endpoint.json(f"{self._base}/models")
        return await local.describe(self._endpoint.json, self._base, listed, self._names)

    async def aclose(self) -> None:
        """Close all connections. May be called twice."""
        await self._endpoint.aclose()

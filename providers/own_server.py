"""A model that we serve ourselves: its process, and the connection to wherever that listens now."""

from __future__ import annotations

from pydantic import SecretStr

from providers.llama_process import Endpoint, LlamaProcess
from providers.openai import OpenAIProvider
from providers.settings import ProviderSettings


class OwnServer:
    """`settings` are the provider's; address and key come from the process, and are new after each start."""

    def __init__(self, name: str, settings: ProviderSettings, process: LlamaProcess) -> None:
        self._name = name
        self._settings = settings
        self._process = process
        self._endpoint: Endpoint | None = None
        self._server: OpenAIProvider | None = None

    async def running(self) -> OpenAIProvider:
        """The server, started if need be. Raises as `LlamaProcess.start` does."""
        endpoint = await self._process.start()
        if self._server is not None and endpoint == self._endpoint:
            return self._server
        previous = self._server
        access = {"api_base": endpoint.base_url, "api_key": SecretStr(endpoint.api_key)}
        self._server = server = OpenAIProvider(self._name, self._settings.model_copy(update=access))
        self._endpoint = endpoint
        if previous is not None:
            await previous.aclose()
        return server

    async def aclose(self) -> None:
        """Close the connections and end the process. May be called twice."""
        await self._process.aclose()
        if self._server is not None:
            await self._server.aclose()

"""Anthropic's protocol: at the server's root, with a key in a header of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from providers.registry import load_spec
from providers.settings import ProviderSettings
from tests.contract.stand import Stand
from tests.fakes.llm import LLMFake, Reply, Setup

_KEY = "sk-ant-1"


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[Stand]:
    async with LLMFake(*replies, setup=Setup(key=_KEY)) as llm:
        settings = ProviderSettings(kind="anthropic", api_base=llm.url, api_key=SecretStr(_KEY))
        provider = load_spec("anthropic").create("mine", settings)
        try:
            yield Stand(provider, llm)
        finally:
            await provider.aclose()

"""The built-in model, with a stand-in for the process that would serve it."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from providers import starter
from providers.adapters.starter import StarterProvider
from providers.llama_process import LlamaProcess
from providers.settings import ProviderSettings
from tests.contract.stand import Stand
from tests.fakes.llm import LLMFake, Reply, Setup

_KEY = "made-up-at-each-start"


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[Stand]:
    async with LLMFake(*replies, setup=Setup("llama-server", (starter.MODEL,), _KEY)) as llm:
        hello = json.dumps({"url": llm.url, "api_key": _KEY})
        script = f"import sys; print({hello!r}, flush=True); sys.stdin.read()"
        process = LlamaProcess(lambda: [sys.executable, "-I", "-S", "-c", script])
        provider = StarterProvider("mine", ProviderSettings(kind="starter"), process)
        try:
            yield Stand(provider, llm, starter.MODEL)
        finally:
            await provider.aclose()

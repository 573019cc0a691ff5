"""A model's file, with a stand-in for the process that would serve it."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from providers.adapters.llamacpp import LlamaCppProvider
from providers.llama_process import LlamaProcess
from providers.settings import ProviderSettings
from tests.contract.stand import Stand
from tests.fakes.llm import LLMFake, Reply, Setup

_KEY = "made-up-at-each-start"
SETTINGS = ProviderSettings(kind="llamacpp", gguf="/nowhere/model.gguf")


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[Stand]:
    async with LLMFake(*replies, setup=Setup("llama-server", ("model",), _KEY)) as llm:
        hello = json.dumps({"url": llm.url, "api_key": _KEY})
        script = f"import sys; print({hello!r}, flush=True); sys.stdin.read()"
        process = LlamaProcess(lambda: [sys.executable, "-I", "-S", "-c", script])
        provider = LlamaCppProvider("mine", SETTINGS, process)
        try:
            yield Stand(provider, llm, "model")
        finally:
            await provider.aclose()

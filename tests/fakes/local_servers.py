"""Local servers that do more than answer: a llama.cpp router, an Ollama that cuts prompts without a word, and a
llama-server with few slots. All over `LLMFake`, from the servers' sources as of autumn 2026.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.fakes.llm import LLMFake, Reply, Setup, errors
from tests.fakes.llm.http11 import Request
from tests.fakes.llm.peers import Answer


@dataclass
class Router:
    """llama-server without a model of its own: `models` with each one's state, `n_ctx` of those that are loaded."""

    models: dict[str, str]
    n_ctx: int = 2048
    autoload: bool = True
    loads: list[str] = field(default_factory=list)
    """What it had to load."""

    def answer(self, request: Request) -> Answer | None:
        match request.method, request.path:
            case "GET", "/models" | "/v1/models":
                return Answer(
                    200, {"object": "list", "data": [self._row(*one) for one in self.models.items()]}
                )
            case "GET", "/props":
                return self._props(unquote(request.query.get("model", "")), request.query)
            case "POST", "/v1/chat/completions":
                return self._ask_for(json.loads(request.body)["model"])
        return None

    def _row(self, name: str, state: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "owned_by": "llamacpp", "status": {"value": state, "args": []}}

    def _props(self, model: str, query: Any) -> Answer:
        if not model:
            settings = {"n_ctx": 0, "params": {}}
            return Answer(
                200, {"role": "router", "default_generation_settings": settings, "model_path": "none"}
            )
        if model in self.models and self.models[model] != "loaded" and query.get("autoload") == "false":
            return _bad("model is not loaded")
        refused = self._ask_for(model)
        settings = {"n_ctx": self.n_ctx, "params": {}}
        caps = {"supports_tools": True, "supports_tool_calls": True}
        told = {"default_generation_settings": settings, "total_slots": 2, "chat_template_caps": caps}
        return refused or Answer(200, told | {"modalities": {"vision": False, "audio": False}})

    def _ask_for(self, model: str) -> Answer | None:
        """Load it, if need be; or the refusal."""
        if model not in self.models:
            return _bad(f"model '{model}' not found")
        if self.models[model] != "loaded":
            if not self.autoload:
                return _bad("model is not loaded")
            self.loads.append(model)
            self.models[model] = "loaded"
        return None


def _bad(text: str) -> Answer:
    return Answer(400, errors.llama(400, "invalid_request_error", text))


@asynccontextmanager
async def router(states: Router, *replies: Reply) -> AsyncIterator[LLMFake]:
    async with LLMFake(*replies, setup=Setup("llama-server", tuple(states.models))) as llm:
        llm.extra_routes = states.answer
        yield llm


@dataclass
class Truncating:
    """Ollama: `window` is what a model runs with once it is loaded; what exceeds it is left out, oldest first. Its
    tokens are words.
    """

    window: int
    loaded: bool = True
    seen: list[list[str]] = field(default_factory=list)
    """Of each request, the texts that reached the model."""

    def answer(self, request: Request) -> Answer | None:
        if request.path == "/api/ps":
            rows = [{"name": "qwen:4b", "model": "qwen:4b", "context_length": self.window}]
            return Answer(200, {"models": rows if self.loaded else []})
        if request.path == "/api/generate":
            self.loaded = True
            return Answer(200, {"model": "qwen:4b", "response": "", "done": True, "done_reason": "load"})
        return None

    def reply(self, body: Any) -> Reply:
        self.loaded = True
        texts = [str(message["content"]) for message in body["messages"]]
        while len(texts) > 1 and sum(len(text.split()) for text in texts) > self.window:
            texts.pop(0)
        self.seen.append(texts)
        return Reply(f"I saw {len(texts)} of {len(body['messages'])}.")


@asynccontextmanager
async def truncating(ollama: Truncating) -> AsyncIterator[LLMFake]:
    async with LLMFake(setup=Setup("ollama", ("qwen:4b",))) as llm:
        llm.extra_routes = ollama.answer
        llm.default = ollama.reply
        yield llm


async def ticking(condition: Any, within: float = 10.0) -> None:
    """Let other tasks run until something holds."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.005)
